"""Loss terms as pure functions of tensors.

One convention holds for all of them: sums run over the dimensions of a sample, means over the samples of
a batch, and a leading seed dimension, where there is one, survives. No function weighs its result, draws
a random number or knows a network that it was not given.
"""
