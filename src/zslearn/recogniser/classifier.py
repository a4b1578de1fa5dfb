"""The final classifier of a generative model, fitted to real samples of seen and synthetic ones of unseen classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from zslearn.classifiers.linear import (
    LinearClassifier,
    SoftmaxTraining,
    gaussian_classifier,
    train_newcomers,
    train_softmax,
)
from zslearn.models.base import GenerativeConfig, GenerativeModel, sample_classes
from zslearn.recogniser.rows import SeenAndSynthetic, SpacePoints, SyntheticSamples, class_moments
from zslearn.training.streams import Streams

_FEWER_PASSES = 3
_MOST_OLD_SAMPLES = 20_000
"""How many samples of the classes that are there already a newcomer's column is fitted against, about."""


def fit_classifier(
    model: GenerativeModel,
    features: SpacePoints,
    labels: Tensor,
    synthetic: SyntheticSamples,
    unseen_ids: Tensor,
    streams: Streams,
) -> LinearClassifier:
    """Fit the classifier to what it reads of real seen and of synthetic unseen samples.

    Args:
        model: The trained model, whose settings tell the classifier.
        features: Real samples in the feature space.
        labels: Their class ids, ``[n_rows]``.
        synthetic: What the classifier reads of synthetic samples.
        unseen_ids: Their class ids, ``[n_unseen]``.
        streams: Draws the batches.
    """
    config, seen_ids = model.config, labels.unique()
    n_classes = len(seen_ids) + len(unseen_ids)
    if config.classifier == "gaussian":
        with torch.no_grad():
            seen_means = class_moments(features, labels, seen_ids, lambda points: model.represent(points, streams))[0]
        means = torch.empty(n_classes, seen_means.shape[1], device=seen_means.device)
        means[seen_ids] = seen_means
        means[unseen_ids] = synthetic.mean(dim=1) if isinstance(synthetic, Tensor) else synthetic.class_means()
        return gaussian_classifier(means, config.gaussian_variance)
    if isinstance(features, Tensor) and isinstance(synthetic, Tensor):
        with torch.no_grad():
            inputs: Tensor | SeenAndSynthetic = torch.cat([model.represent(features, streams), synthetic.flatten(0, 1)])
    else:
        inputs = SeenAndSynthetic(model, features, synthetic, streams)
    return train_softmax(
        inputs,
        torch.cat([labels, unseen_ids.repeat_interleave(config.n_synthetic)]),
        n_classes,
        streams,
        _training(config),
    )


def fit_newcomers(
    model: GenerativeModel, known: LinearClassifier, known_conditions: Tensor, conditions: Tensor, seeds: Sequence[int]
) -> LinearClassifier:
    """Fit the columns of new classes beside those that are there, which stand as they are.

    A Gaussian classifier takes the mean of the samples synthesised of a new class. A softmax classifier gets a new
    column, trained to tell these samples from those that the generator draws of the classes that are there already:
    with the settings of the fit, but a third of its passes, for synthetic samples are soon told apart.

    Args:
        model: The trained model.
        known: The columns that are there.
        known_conditions: The condition vectors of their classes, ``[n_known, semantic_dim]``.
        conditions: The condition vectors of the new classes, ``[n_new, semantic_dim]``.
        seeds: Draws the samples of each of them.
    """
    config = model.config
    synthetic = torch.cat(
        [
            sample_classes(model.sample_inputs, row[None], config.n_synthetic, Streams(seed, row.device))
            for row, seed in zip(conditions, seeds, strict=True)
        ]
    )
    if config.classifier == "gaussian":
        return gaussian_classifier(synthetic.mean(dim=1), config.gaussian_variance)
    streams = Streams(seeds[0], synthetic.device)
    n_each = max(1, min(config.n_synthetic, _MOST_OLD_SAMPLES // len(known_conditions)))
    inputs = synthetic.flatten(0, 1)
    old = sample_classes(model.sample_inputs, known_conditions, n_each, streams).flatten(0, 1)
    with torch.no_grad():
        old_scores = torch.cat([known(old), known(inputs)]).logsumexp(dim=1)
    # Fewer samples of the old classes than of the new ones would make the new ones look too likely.
    old_scores -= math.log(config.n_synthetic / n_each)
    n_new = len(synthetic)
    n_rows = torch.tensor([len(old), *[config.n_synthetic] * n_new], device=synthetic.device)
    return train_newcomers(
        torch.cat([old, inputs]),
        old_scores,
        torch.arange(1 + n_new, device=synthetic.device).repeat_interleave(n_rows),
        n_new,
        streams,
        replace(_training(config), epochs=max(1, config.classifier_epochs // _FEWER_PASSES)),
    )


def _training(config: GenerativeConfig) -> SoftmaxTraining:
    return SoftmaxTraining(
        epochs=config.classifier_epochs,
        batch_size=config.classifier_batch_size,
        learning_rate=config.classifier_learning_rate,
        weight_decay=config.classifier_weight_decay,
    )
