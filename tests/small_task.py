"""A small task and a batch of it, for tests of single models, and their layers in numpy."""

import numpy as np
import torch

from zslearn.models.base import Task
from zslearn.training.plan import Step
from zslearn.training.streams import Streams

LABELS = torch.tensor([0, 3, 1, 1, 3, 0, 1])
RANKS = np.array([0, 2, 1, 1, 2, 0, 1])
"""The places of the labels among the seen classes."""
FEATURES = torch.rand(7, 6, generator=torch.Generator().manual_seed(7))


def make_task(kind="unit", *, unseen=True):
    """Seen classes 0, 1 and 3, unseen classes 2 and 4; 6 features, 5 semantics."""
    rng = torch.Generator().manual_seed(0)
    semantics = torch.nn.functional.normalize(torch.rand(5, 5, generator=rng), dim=1)
    return Task(
        kind=kind,
        semantics=semantics if unseen else semantics[:4],
        seen_ids=torch.tensor([0, 1, 3]),
        unseen_ids=torch.tensor([2, 4] if unseen else [], dtype=torch.int64),
        seen_means=torch.rand(3, 6, generator=rng),
        seen_variances=torch.rand(3, 6, generator=rng),
    )


def make_step(model, progress=0.0, seed=3):
    """One batch for a model of such a task; two steps of one seed draw the same numbers."""
    return Step(FEATURES, model.task.semantics[LABELS], LABELS, progress, Streams(seed))


def log_softmax(scores):
    """In numpy, over the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def affine(layer, inputs):
    """A linear layer in numpy, float64."""
    outputs = inputs @ layer.weight.detach().double().numpy().T
    return outputs if layer.bias is None else outputs + layer.bias.detach().double().numpy()


def leaky(inputs):
    """The rectifier in numpy."""
    return np.where(inputs > 0, inputs, 0.2 * inputs)


def verdict(model, step, samples):
    """The critic's mean score in numpy, of samples of the classes of a step."""
    first, last = model.critic.layers
    inputs = np.hstack([np.asarray(samples, dtype=np.float64), step.semantics.double().numpy()])
    return affine(last, leaky(affine(first, inputs))).mean()


def critic_gap(model, step, fake):
    """How much higher the critic scores generated samples than the real ones of a step."""
    return verdict(model, step, fake) - verdict(model, step, step.features.numpy())
