"""Where a model goes wrong: diagnostics of label shift and of generated samples, for reading and never for choosing.

They look at real unseen rows, which are test data. So they are computed after everything has been chosen, trained and
measured, and nothing may be chosen by them.

Distances are taken in one space for all classes, fitted to training rows alone (`DiagnosticSpace`), so that they can be
compared between classes and between models on the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from scipy.linalg import eigh
from scipy.spatial.distance import cdist, pdist
from scipy.stats import spearmanr

from zslearn.data.checks import row_chunks
from zslearn.data.dataset import TestView, TrainingView
from zslearn.data.mapped import AnyRows
from zslearn.shapes import Features, Ids, Labels, PerClass, Points, Semantics
from zslearn.spaces import SemanticSpace

N_COMPONENTS: Final[int] = 32
"""Principal components in which distances are taken, at most."""
SHRINKAGE: Final[float] = 0.1
"""Weight of a spherical covariance in those of the Fréchet distance: few rows leave a covariance singular."""
N_GENERATED: Final[int] = 100
"""Samples drawn of each class."""
N_COPY_CLASSES: Final[int] = 40
"""Seen classes, at most, whose generated samples are compared with training rows."""
N_COMPARED_CLASSES: Final[int] = 500
"""Unseen classes, at most, whose generated samples are compared with real ones."""
N_TOLD_ANSWERS: Final[int] = 40
"""Classes, at most, whose number of answers a record tells."""

_FIT_ROWS = 1500
_PAIR_ROWS = 200
_FEWEST_HALVED = 8
_FEWEST_RANKED = 4
_TINY = 1e-12

Moments = tuple[Float[np.ndarray, " dim"], Float[np.ndarray, "dim dim"]]


@dataclass(frozen=True, eq=False)
class DiagnosticSpace:
    """Principal components of training rows, in units of the spread within classes.

    The unit is the root mean square, over training rows and components, of a row's distance to the mean of its class.
    """

    centre: Float[np.ndarray, " feature_dim"]
    """The mean of the training rows that were looked at."""
    axes: Float[np.ndarray, "feature_dim n_components"]
    """Orthogonal, divided by the unit."""
    explained: float
    """Share of the rows' variance that the components hold, in (0, 1]."""

    @classmethod
    def fit(cls, features: AnyRows, labels: Labels, n_components: int = N_COMPONENTS) -> DiagnosticSpace:
        """Fit the space to training rows; of many rows a seeded draw is looked at.

        Args:
            features: The training rows.
            labels: Their classes.
            n_components: Principal components to keep, at most.
        """
        rows = _drawn_rows(len(features), _FIT_ROWS)
        kept, kept_labels = features[rows].astype(np.float64), labels[rows]
        centre = kept.mean(axis=0)
        centred = kept - centre
        # The smaller of the two products has the same leading values; more components than rows there are none.
        n_kept = min(n_components, *kept.shape)
        wide = kept.shape[1] > len(kept)
        product = centred @ centred.T if wide else centred.T @ centred
        last = len(product) - 1
        strengths, vectors = eigh(product, subset_by_index=(last - n_kept + 1, last))
        sound = strengths > _TINY * strengths[-1]
        sound[-1] = True
        strengths, vectors = np.maximum(strengths[sound], 0.0), vectors[:, sound]
        axes = (centred.T @ vectors) / np.sqrt(np.maximum(strengths, _TINY)) if wide else vectors
        placed = centred @ axes
        within = np.concatenate(
            [
                placed[kept_labels == label] - placed[kept_labels == label].mean(axis=0)
                for label in np.unique(kept_labels)
            ]
        )
        unit = float(np.sqrt(np.square(within).mean())) or 1.0
        total = float(np.square(centred).sum())
        return cls(centre, axes / unit, float(strengths.sum() / total) if total else 1.0)

    def transform(self, features: AnyRows) -> Features:
        """Return the coordinates of rows."""
        placed = np.empty((len(features), self.axes.shape[1]))
        for rows in row_chunks(len(features), 8 * features.shape[1]):
            placed[rows] = (features[rows] - self.centre) @ self.axes
        return placed


def shrunk_moments(rows: Features, shrinkage: float = SHRINKAGE) -> Moments:
    """Return the mean of rows and their covariance, mixed with the spherical covariance of the same trace.

    Args:
        rows: At least one row; of one alone the covariance is 0.
        shrinkage: Weight of the spherical covariance, in [0, 1].
    """
    mean, dim = rows.mean(axis=0), rows.shape[1]
    covariance = (rows - mean).T @ (rows - mean) / max(1, len(rows) - 1)
    return mean, (1 - shrinkage) * covariance + shrinkage * np.trace(covariance) / dim * np.eye(dim)


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return the squared Fréchet distance of two Gaussians.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``, not negative, 0 for equal ones; the Wasserstein-2 distance squared.

    Args:
        first: Mean and covariance.
        second: Mean and covariance, of the same size.

    Example:
        >>> frechet_distance((np.zeros(2), np.eye(2)), (np.array([3.0, 4.0]), 4 * np.eye(2)))
        27.0
    """
    (mean, covariance), (other_mean, other_covariance) = first, second
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other_covariance @ root), 0.0)).sum()
    distance = np.square(mean - other_mean).sum() + np.trace(covariance) + np.trace(other_covariance) - 2 * overlap
    return float(max(distance, 0.0))


def mmd_squared(first: Features, second: Features, bandwidth: float) -> float:
    """Return the unbiased estimate of the squared maximum mean discrepancy under a Gaussian kernel.

    Its mean is 0 where both come from one distribution, so it may be slightly negative.

    Args:
        first: At least two rows.
        second: At least two rows, of the same size.
        bandwidth: The kernel is ``exp(-|x - y|^2 / (2 bandwidth^2))``; > 0.
    """

    def kernel(distances: Points) -> Points:
        return np.exp(-np.square(distances) / (2 * bandwidth**2))

    within = kernel(pdist(first)).mean() + kernel(pdist(second)).mean()
    return float(within - 2 * kernel(cdist(first, second)).mean())


def nearest_distances(rows: Features, others: Features) -> Points:
    """Return for each row the distance to the nearest of the others."""
    return np.concatenate([cdist(block, others).min(axis=1) for block in np.array_split(rows, -(-len(rows) // 500))])


def semantic_neighbours(semantics: Semantics, seen_ids: Ids, unseen_ids: Ids) -> tuple[Ids, PerClass]:
    """Find the seen class nearest to each unseen one.

    Semantics are L2-normalised, centred over all classes and normalised again; a distance is 1 minus the cosine.

    Returns:
        The seen class id of each unseen class, and how far it is, in [0, 2].
    """
    units = SemanticSpace.fit(semantics).transform(semantics)
    distances = 1 - units[unseen_ids] @ units[seen_ids].T
    return seen_ids[distances.argmin(axis=1)], distances.min(axis=1)


def answers_of_unseen(answers: Labels, test: TestView, names: Sequence[str]) -> dict[str, Any]:
    """Count with which classes the rows of unseen classes are answered.

    Args:
        answers: The answered class of every test row.
        test: The test rows.
        names: The name of every class.

    Returns:
        ``n_rows``, ``as_seen`` (share answered with a seen class), ``counts`` by class name, most frequent first, and
        ``others``, the rows answered with a class that is not told.
    """
    of_unseen = answers[np.isin(test.labels, test.unseen_ids)]
    counts = np.bincount(of_unseen, minlength=len(names))
    order = np.argsort(-counts, kind="stable")[:N_TOLD_ANSWERS]
    told = {names[class_id]: int(counts[class_id]) for class_id in order if counts[class_id]}
    return {
        "n_rows": len(of_unseen),
        "as_seen": float(np.isin(of_unseen, test.seen_ids).mean()),
        "counts": told,
        "others": len(of_unseen) - sum(told.values()),
    }


def compare_generated(
    training: TrainingView,
    test: TestView,
    unseen: Float[np.ndarray, "n_unseen n_drawn feature_dim"],
    unseen_ids: Ids,
    seen: Float[np.ndarray, "n_copied n_drawn feature_dim"],
    seen_ids: Ids,
) -> dict[str, Any]:
    """Compare generated samples with real ones.

    Args:
        training: What the model was trained on.
        test: The test rows.
        unseen: Generated samples of some unseen classes.
        unseen_ids: Which classes these are; each has test rows.
        seen: Generated samples of some seen classes.
        seen_ids: Which classes these are.

    Returns:
        Facts ready for JSON: the space and its settings; for each unseen class the Fréchet distance and the MMD of
        generated to real rows, the error of the generated mean, and how far the nearest seen class is by semantics;
        the rank correlation of these last two; and how near generated samples come to training rows.
    """
    features, labels = training.some_rows_in_place()
    space = DiagnosticSpace.fit(features, labels)
    rows = space.transform(features)
    bandwidth = _typical_distance(rows, labels)
    nearest, distances = semantic_neighbours(training.semantics, training.seen_ids, unseen_ids)
    names, classes = training.class_names, []
    for index, class_id in enumerate(unseen_ids.tolist()):
        real = space.transform(test.features[test.labels == class_id])
        classes.append(
            {
                "class": names[class_id],
                "nearest_seen": names[nearest[index]],
                "semantic_distance": float(distances[index]),
                **_class_distances(real, space.transform(unseen[index]), bandwidth),
            }
        )
    return {
        "space": {"n_components": space.axes.shape[1], "explained": space.explained, "unit": "spread within a class"},
        "shrinkage": SHRINKAGE,
        "bandwidth": bandwidth,
        "n_generated": unseen.shape[1],
        "classes": classes,
        "error_follows_distance": _rank_correlation(distances, np.array([each["mean_error"] for each in classes])),
        "nearest_training_row": {
            "seen": _copying_of_seen(space, rows, labels, test, seen, seen_ids),
            "unseen": _nearness(
                space.transform(unseen.reshape(-1, unseen.shape[-1])),
                space.transform(test.features[np.isin(test.labels, unseen_ids)]),
                rows,
            ),
        },
    }


def _class_distances(real: Features, generated: Features, bandwidth: float) -> dict[str, Any]:
    real_moments = shrunk_moments(real)
    halves = np.array_split(real[_drawn_rows(len(real), len(real))], 2)
    few, some = real[_drawn_rows(len(real), _PAIR_ROWS)], generated[:_PAIR_ROWS]
    paired = min(len(few), len(some)) > 1
    return {
        "n_real": len(real),
        "mean_error": float(np.linalg.norm(generated.mean(axis=0) - real_moments[0])),
        "frechet": frechet_distance(real_moments, shrunk_moments(generated)),
        # What the distance is between rows of one class: the least that a generator could be asked for.
        "frechet_between_halves": (
            frechet_distance(shrunk_moments(halves[0]), shrunk_moments(halves[1]))
            if len(real) >= _FEWEST_HALVED
            else None
        ),
        "mmd_squared": mmd_squared(few, some, bandwidth) if paired else None,
    }


def _copying_of_seen(
    space: DiagnosticSpace,
    rows: Features,
    labels: Labels,
    test: TestView,
    generated: Float[np.ndarray, "n_copied n_drawn feature_dim"],
    seen_ids: Ids,
) -> dict[str, float] | None:
    """Compare the distances to training rows of the same class, of generated and of held-out rows."""
    of_generated, of_held_out = [], []
    for class_id, drawn in zip(seen_ids.tolist(), generated, strict=True):
        trained, held_out = rows[labels == class_id], test.features[test.labels == class_id]
        if len(held_out):
            of_generated.append(nearest_distances(space.transform(drawn), trained))
            of_held_out.append(nearest_distances(space.transform(held_out), trained))
    return _medians(of_generated, of_held_out) if of_generated else None


def _nearness(generated: Features, held_out: Features, rows: Features) -> dict[str, float]:
    return _medians([nearest_distances(generated, rows)], [nearest_distances(held_out, rows)])


def _medians(of_generated: Sequence[Points], of_held_out: Sequence[Points]) -> dict[str, float]:
    generated, held_out = (float(np.median(np.concatenate(each))) for each in (of_generated, of_held_out))
    return {"generated": generated, "held_out": held_out, "ratio": generated / max(held_out, _TINY)}


def _typical_distance(rows: Features, labels: Labels) -> float:
    """Return the median distance of two training rows of one class, which serves as the kernel's bandwidth."""
    distances = []
    for label in np.unique(labels):
        own = rows[labels == label][:_PAIR_ROWS]
        if len(own) > 1:
            distances.append(pdist(own))
    typical = float(np.median(np.concatenate(distances))) if distances else 0.0
    return typical or 1.0


def _rank_correlation(first: PerClass, second: PerClass) -> float | None:
    varied = len(first) >= _FEWEST_RANKED and np.ptp(first) > 0 and np.ptp(second) > 0
    return float(spearmanr(first, second).statistic) if varied else None


def _drawn_rows(n_rows: int, n_wanted: int) -> Ids:
    return np.random.default_rng(0).permutation(n_rows)[:n_wanted]
