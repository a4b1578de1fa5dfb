"""The vocabulary of torch tensor shapes.

``*seeds`` is empty for an ordinary run; where several seeds train as one computation it is their number.
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor

FeatureBatch = Float[Tensor, "*seeds batch feature_dim"]
LatentBatch = Float[Tensor, "*seeds batch latent_dim"]
HiddenBatch = Float[Tensor, "*seeds batch hidden_dim"]
SemanticBatch = Float[Tensor, "*seeds batch semantic_dim"]
InputBatch = Float[Tensor, "*seeds batch input_dim"]
LabelBatch = Int[Tensor, "*seeds batch"]
ScoreBatch = Float[Tensor, "*seeds batch n_classes"]
ClassFeatures = Float[Tensor, "*seeds n_classes feature_dim"]
ClassSemantics = Float[Tensor, "n_classes semantic_dim"]
ClassMask = Bool[Tensor, " n_classes"]
PerSeed = Float[Tensor, "*seeds"]
