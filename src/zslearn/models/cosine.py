"""Plain cosine: features and semantics that one image-text model has put into one space, compared as they are.

Source: A. Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, section
3.1.2: the class of an image is the text whose embedding has the largest cosine with the image's.

Differs from the source: nothing, where features are the image embeddings and semantics the text embeddings. No training
row is read; the rehearsal corrects the shift between seen and unseen classes as for every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from zslearn.data.dataset import TrainingView
from zslearn.errors import DataError
from zslearn.models.closed_form import Arrays, ClosedForm, FittedMatching
from zslearn.spaces import SemanticSpace


@final
@dataclass(frozen=True, kw_only=True)
class Cosine(ClosedForm):
    """Plain cosine has no settings."""

    def fit(self, view: TrainingView) -> FittedMatching:
        """Take semantics as they are.

        Raises:
            DataError: If features and semantics are not of one size.
        """
        feature_dim, semantic_dim = view.features.shape[1], view.semantics.shape[1]
        if feature_dim != semantic_dim:
            raise DataError(
                "features and semantics are not in one space",
                expected="vectors of one size, from one image-text model",
                received=f"features of {feature_dim} and semantics of {semantic_dim} numbers",
                remedy="Describe classes with the text encoder that belongs to the features, or take another model.",
            )
        space = SemanticSpace.fit(view.semantics, centring=False)
        return FittedMatching(class_table=space.transform(view.semantics), space=space)

    def restore(self, arrays: Arrays) -> FittedMatching:
        """Rebuild what ``fit`` returned from its ``arrays``."""
        return FittedMatching.restore(arrays)

    @classmethod
    def grid(cls) -> tuple[Cosine, ...]:
        """Return the only one there is."""
        return (cls(),)
