"""The scikit-learn estimator: learn from seen classes, recognise classes without a single example."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data

from zslearn import __version__
from zslearn.classifiers.calibration import correct
from zslearn.data.checks import check_semantics
from zslearn.data.dataset import TrainingView
from zslearn.data.mapped import AnyRows, any_negative
from zslearn.data.splits import RehearsalFold, rehearsal_folds
from zslearn.devices import resolve_device
from zslearn.errors import ConfigError, DataError, ZslearnError, listed, unknown_name
from zslearn.evaluation.metrics import Metrics, per_class_accuracy
from zslearn.inputs import (
    check_attributes,
    check_new_names,
    class_semantics,
    feature_rows,
    label_names,
    training_view,
)
from zslearn.model_files import read_model, write_model
from zslearn.models import model_entry
from zslearn.notebook import facts_html, percent
from zslearn.recogniser import Recogniser, fit_recogniser, restore_recogniser
from zslearn.rehearsal import Rehearsal, Scorer, rehearse
from zslearn.shapes import Features, Ids, Scores, Semantics
from zslearn.training.checkpoint import Checkpoints
from zslearn.training.loop import Progress
from zslearn.training.streams import derive_seed
from zslearn.training.team import current_team

Candidates = Literal["all", "seen", "unseen"]
N_FOLDS = 3


@dataclass(frozen=True)
class FitProgress:
    """Where a fit stands: the last of its parts is the final training, those before it are the rehearsal's.

    Attributes:
        part: The part that is trained, counted from 0.
        n_parts: How many there are.
        training: How far its training is.
    """

    part: int
    n_parts: int
    training: Progress

    def as_dict(self) -> dict[str, Any]:
        """Return the report as histories hold it."""
        training = self.training
        told = {"stage": training.stage, "step": training.step, "total_step": training.total_step}
        return {"part": self.part, "n_parts": self.n_parts, **told, "terms": training.terms}


class GenerativeZSL(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Generative zero-shot learning behind ``fit`` and ``predict``.

    Args:
        model: Name of a model of the zoo; ``zslearn show models`` lists them.
        settings: The model's settings that differ from its defaults.
        rehearse: Whether to choose among the model's alternatives, and the label-shift correction and the temperature,
            in a rehearsal on seen classes, which costs three more fits for each alternative. Without it the
            first alternative is taken and nothing is corrected.
        seed: Decides every random number; same seed, same bits on the same machine and versions.
        device: ``auto``, ``cpu`` or ``cuda``.

    Attributes:
        classes_: All class names, in the order of the semantics, ``[n_classes]``.
        seen_classes_: Those with training samples.
        unseen_classes_: Those without.
        added_classes_: Those of them that came after the fit, by ``add_classes``; training knew nothing of them.
        seen_ids_: The places of the seen classes in ``classes_``, sorted, ``[n_seen]``.
        unseen_ids_: Those of the unseen classes.
        semantics_: The semantics of all classes as they were given, ``[n_classes, semantic_dim]``, float64.
        recogniser_: The trained model and its classifier.
        alternatives_: The settings that the fit chose among, by name, the user's own standing in each; not saved.
        rehearsal_: What the rehearsal chose; None where there was none: not asked for, fewer than 12 seen classes, or
            too few rows of them to hold some out.
        n_features_in_: Size of a sample.
        feature_names_in_: The names of the columns of ``X``; only where ``fit`` got a data frame with such.
        image_shape_: Height and width where a sample holds the grey values of an image; None otherwise.
        backbone_: What makes such features of images (see ``zslearn.data.images``); None where it is not known.
        attribute_names_: The names of the columns of the semantics; empty where they are not known.
        text_encoder_: What makes such semantics of sentences (see ``zslearn.data.text``); None where it is not known.

    Example:
        >>> import zslearn
        >>> data = zslearn.load_data("glyphs").training()
        >>> estimator = zslearn.GenerativeZSL(settings={"n_updates": 5}, rehearse=False)
        >>> names = np.array(data.class_names)
        >>> semantics = dict(zip(names, data.semantics))
        >>> estimator.fit(data.features, names[data.labels], semantics=semantics).unseen_classes_.size
        8
    """

    def __init__(
        self,
        model: str = "skd",
        *,
        settings: Mapping[str, Any] | None = None,
        rehearse: bool = True,
        seed: int = 0,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.settings = settings
        self.rehearse = rehearse
        self.seed = seed
        self.device = device

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        semantics: Any,
        unseen_classes: Sequence[Any] | None = None,
        classes: Sequence[Any] | None = None,
    ) -> GenerativeZSL:
        """Learn from samples of seen classes and the semantics of all classes.

        An estimator that is fitted already stays as it is until all has been learnt anew.

        Args:
            X: Features, ``[n_rows, feature_dim]``, numpy, torch or a data frame, finite.
            y: The class name of every row, ``[n_rows]``: texts or whole numbers.
            semantics: A mapping from class name to vector; a data frame with a column per attribute, indexed by class
                name or with these in a column ``name``; or an array ``[n_classes, semantic_dim]`` with ``classes``
                beside it.
            unseen_classes: Which classes to expect without samples; by default all with semantics and no label in
                ``y``. Other classes without samples are left out.
            classes: The names of the rows of a semantics array.

        Returns:
            The estimator itself.

        Raises:
            DataError: If the data do not fit together; the message says how.
            ConfigError: If a setting has a wrong value, or the seed is not a whole number.
            TrainingError: If training diverges.
        """
        if y is None:
            raise DataError(
                "GenerativeZSL requires y to be passed, but the target y is None", remedy="Give the class of every row."
            )
        columns = BaseEstimator()
        if hasattr(X, "columns"):
            # Checked before the training, and not on this estimator, which may have names of an earlier fit.
            validate_data(columns, X, skip_check_array=True)
        labels = label_names(y)
        names, vectors, attribute_names = class_semantics(semantics, classes)
        view, names = training_view(X, labels, names, vectors, unseen_classes, attribute_names)
        self.fit_view(view)
        self._learn_classes(names, view.seen_ids, view.semantics)
        self.torch_ = isinstance(X, torch.Tensor)
        if hasattr(columns, "feature_names_in_"):
            self.feature_names_in_ = columns.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def fit_view(
        self,
        view: TrainingView,
        on_progress: Callable[[FitProgress], None] | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> GenerativeZSL:
        """Learn from a checked training view; as in ``fit``, nothing is lost where this fails.

        Args:
            view: All that training may see.
            on_progress: Told how training goes.
            checkpoints: Keeps the state of the fit, and gives back what an earlier, stopped one had reached.
        """
        seed, alternatives = self._whole_seed(), self._alternatives(view)
        rehearsal = self._rehearsed(view, alternatives, seed, on_progress, checkpoints)
        chosen, n_folds = (0, 0) if rehearsal is None else (rehearsal.chosen, len(rehearsal.pretend_unseen))
        n_rehearsed, training = n_folds * len(alternatives), view.gathered()
        recogniser = self._train(
            training, alternatives[chosen], seed, n_rehearsed, n_rehearsed + 1, on_progress, checkpoints
        )
        self.alternatives_, self.rehearsal_, self.recogniser_ = alternatives, rehearsal, recogniser
        self._learn_classes(view.class_names, view.seen_ids, view.semantics)
        self.image_shape_ = view.image_shape
        self.backbone_, self.text_encoder_ = view.backbone, view.text_encoder
        self.attribute_names_ = view.attribute_names
        self.n_features_in_ = view.features.shape[1]
        return self

    def rehearse_view(
        self,
        view: TrainingView,
        on_progress: Callable[[FitProgress], None] | None = None,
        checkpoints: Checkpoints | None = None,
    ) -> Rehearsal | None:
        """Make the choices of a fit without its final training; the estimator stays as it is.

        Args:
            view: All that training may see.
            on_progress: Told how training goes.
            checkpoints: As in ``fit_view``.

        Returns:
            The choices; None without rehearsal.
        """
        return self._rehearsed(view, self._alternatives(view), self._whole_seed(), on_progress, checkpoints)

    def _rehearsed(
        self,
        view: TrainingView,
        alternatives: Sequence[Mapping[str, Any]],
        seed: int,
        on_progress: Callable[[FitProgress], None] | None,
        checkpoints: Checkpoints | None,
    ) -> Rehearsal | None:
        folds = self.folds(view)
        n_parts = len(folds) * len(alternatives) + 1

        def train_fold(alternative: int, fold: int, fold_view: TrainingView) -> Scorer:
            settings, part = alternatives[alternative], fold * len(alternatives) + alternative
            fold_seed = derive_seed(seed, f"fold {fold}")

            def scores(features: AnyRows) -> Scores:
                trained = self._train(fold_view, settings, fold_seed, part, n_parts, on_progress, checkpoints)
                return trained.scores(features)

            if checkpoints is None:
                return scores
            return lambda features: checkpoints.scores(part, lambda: scores(features))

        # Processes that train together must not differ in their choices by a rounding.
        return current_team().agreed(rehearse(folds, train_fold, n_alternatives=len(alternatives)))

    def _train(
        self,
        view: TrainingView,
        settings: Mapping[str, Any],
        seed: int,
        part: int,
        n_parts: int,
        on_progress: Callable[[FitProgress], None] | None,
        checkpoints: Checkpoints | None,
    ) -> Recogniser:
        def report(progress: Progress) -> None:
            if on_progress is not None:
                on_progress(FitProgress(part, n_parts, progress))

        device = resolve_device(self.device)
        keeper = None if checkpoints is None else checkpoints.keeper(part)
        return fit_recogniser(view, self.model, settings, seed=seed, device=device, on_progress=report, keeper=keeper)

    def _whole_seed(self) -> int:
        """The seed as a plain whole number: searches hand over those of numpy."""
        try:
            return operator.index(self.seed)
        except TypeError as error:
            raise ConfigError(
                "the seed is not a whole number",
                expected="a whole number",
                received=repr(self.seed),
                remedy="Give one, such as seed=0.",
            ) from error

    def _alternatives(self, view: TrainingView) -> tuple[Mapping[str, Any], ...]:
        """The different settings to choose among, the user's own standing in each."""
        _check_batch(self.settings or {}, len(view.features))
        model_class = model_entry(self.model).load()
        different: list[Mapping[str, Any]] = []
        n_rows, feature_dim = view.features.shape
        offered = model_class.alternatives(
            n_rows=n_rows, feature_dim=feature_dim, non_negative=not any_negative(view.features)
        )
        for alternative in offered:
            merged = {**alternative, **(self.settings or {})}
            if merged not in different:
                different.append(merged)
        return tuple(different)

    def folds(self, view: TrainingView) -> tuple[RehearsalFold, ...]:
        """Return the rehearsal folds that a fit to this view uses; empty where it does not rehearse."""
        if not self.rehearse:
            return ()
        return rehearsal_folds(view, seed=derive_seed(self._whole_seed(), "rehearsal"), n_folds=N_FOLDS)

    def predict(self, X: Any, candidates: Candidates | Sequence[Any] = "all", *, corrected: bool = True) -> Any:
        """Name the class of every row.

        Args:
            X: Features, ``[n_rows, feature_dim]``.
            candidates: ``all``, ``seen``, ``unseen``, or the names of the classes to choose among.
            corrected: Whether to subtract the rehearsal's offset from seen classes.

        Returns:
            Class names, ``[n_rows]``; whole-number names come as a torch tensor where ``X`` is one.
        """
        answers = self._answers(X, candidates, corrected)
        return self._like(X, self.classes_[answers])

    def predict_proba(self, X: Any, candidates: Candidates | Sequence[Any] = "all", *, corrected: bool = True) -> Any:
        """Return the probability of every candidate, at the temperature that the rehearsal fitted.

        Returns:
            ``[n_rows, n_candidates]``, rows summing to 1; columns in the order of the candidates (for ``all``,
            ``classes_``).
        """
        return self._like(X, self._shares(X, self._candidate_ids(candidates), corrected))

    def predict_top(
        self, X: Any, k: int, candidates: Candidates | Sequence[Any] = "all", *, corrected: bool = True
    ) -> tuple[Any, Any]:
        """Name the most probable classes of every row, the best first.

        Args:
            X: Features, ``[n_rows, feature_dim]``.
            k: How many, at least 1; all candidates where there are fewer.
            candidates: As for ``predict``.
            corrected: As for ``predict``.

        Returns:
            Class names and their probabilities among all candidates, both ``[n_rows, at most k]``; as torch tensors
            where ``X`` is one, but for names that are texts.
        """
        ids = self._candidate_ids(candidates)
        shares = self._shares(X, ids, corrected)
        best = np.argsort(-shares, axis=1, kind="stable")[:, :k]
        return self._like(X, self.classes_[ids[best]]), self._like(X, np.take_along_axis(shares, best, axis=1))

    def _answers(self, X: Any, candidates: Candidates | Sequence[Any], corrected: bool) -> Ids:
        """Return the id of the best candidate of every row."""
        ids = self._candidate_ids(candidates)
        return np.asarray(ids[self.decision_scores(X, corrected=corrected)[:, ids].argmax(axis=1)])

    def _shares(self, X: Any, ids: Ids, corrected: bool) -> Scores:
        """Return the probabilities of the classes with these ids, ``[n_rows, n_candidates]``."""
        temperature = 1.0 if self.rehearsal_ is None else self.rehearsal_.temperature
        return np.asarray(softmax(self.decision_scores(X, corrected=corrected)[:, ids] / temperature, axis=1))

    def decision_function(self, X: Any) -> Any:
        """Return the corrected logits that ``predict`` compares, as scikit-learn asks for them.

        Returns:
            ``[n_rows, n_classes]``, columns in the order of ``classes_``.
        """
        return self._like(X, self.decision_scores(X))

    def decision_scores(self, X: Any, *, corrected: bool = True) -> Scores:
        """Return one logit per row and class, ``[n_rows, n_classes]``; larger is better.

        Raises:
            DataError: If the features are not usable or not of the model's size, or a row's scores are not finite.
        """
        self._check_fitted()
        features = feature_rows(X)
        if features.shape[1] != self.n_features_in_:
            raise DataError(
                "the features do not fit the model",
                expected=f"{self.n_features_in_} columns",
                received=str(features.shape[1]),
                remedy="Use the same feature extractor as for training.",
            )
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True, reset=False)
        scores = self.recogniser_.scores(features)
        _check_scores(scores, features)
        return correct(scores, self.seen_ids_, self.offset_) if corrected else scores

    def score(
        self,
        X: Any,
        y: Any,
        candidates: Candidates | Sequence[Any] = "all",
        *,
        corrected: bool = True,
    ) -> float:
        """Return the mean per-class accuracy over the classes that occur in ``y``, in [0, 1].

        Raises:
            DataError: If there is no row, or not a label for each.
        """
        ids, n_rows = self._ids_of(label_names(y)), len(X)
        if not n_rows or len(ids) != n_rows:
            raise DataError(
                "there is nothing to score" if not n_rows else "labels and features do not match",
                expected="one label for each row of features, at least one row",
                received=f"{len(ids)} labels and {n_rows} rows",
                remedy="Give the label of every row.",
            )
        return float(per_class_accuracy(ids, self._answers(X, candidates, corrected), np.unique(ids)).mean())

    def synthesize(self, classes: Sequence[Any], n_samples: int = 100, *, seed: int = 0) -> Any:
        """Draw samples of classes, seen or unseen.

        Args:
            classes: Class names.
            n_samples: How many of each, at least 1.
            seed: Same seed, same samples.

        Returns:
            Features, ``[len(classes), n_samples, feature_dim]``, float32; a torch tensor where ``fit`` got one.

        Raises:
            UnknownNameError: If a class is not known.
            DataError: If no class or no sample is asked for.
            ConfigError: If the model has no generator.
        """
        self._check_fitted()
        if n_samples < 1 or not len(classes):
            raise DataError(
                "there is nothing to synthesise",
                expected="at least one class and one sample",
                received=f"{len(classes)} classes, {n_samples} samples of each",
                remedy="Name a class, and at least one sample.",
            )
        semantics = self.semantics_[self._ids_of(np.asarray(classes))]
        drawn = self.recogniser_.synthesize(semantics, n_samples, derive_seed(seed, "synthesize"))
        return torch.from_numpy(drawn) if self.torch_ else drawn

    def add_classes(self, semantics: Any, *, classes: Sequence[Any] | None = None) -> GenerativeZSL:
        """Make the fitted estimator recognise more classes by their semantics, in seconds: nothing is trained again.

        They are unseen classes that no term of the training knew. Scores of all other classes before the correction
        keep every bit; the centre and the axes of the semantics, the offset and the temperature stay those of the fit.

        Args:
            semantics: As for ``fit``, of the new classes alone; where the attributes have names, also a mapping from
                class name to a mapping from attribute to number.
            classes: The names of the rows of a semantics array.

        Returns:
            The estimator itself.

        Raises:
            DataError: If a class is known already, perhaps in another spelling, or its semantics are not of the kind
                that the estimator was fitted to. Nothing is added then.
        """
        self._check_fitted()
        names, vectors, attribute_names = class_semantics(self._by_attribute(semantics), classes)
        if attribute_names and self.attribute_names_:
            check_attributes(attribute_names, self.attribute_names_)
            vectors = vectors[:, [attribute_names.index(name) for name in self.attribute_names_]]
        check_new_names(names, self.classes_.tolist())
        if vectors.shape[1] != self.semantics_.shape[1]:
            raise DataError(
                "the semantics of the new classes do not fit the model",
                expected=f"{self.semantics_.shape[1]} numbers for a class",
                received=str(vectors.shape[1]),
                remedy="Describe them with the attributes, or the encoder, of the classes that are there.",
            )
        vectors = check_semantics(vectors, class_names=list(map(str, names)))
        seed = self._whole_seed()
        seeds = [derive_seed(seed, f"class {name}") for name in names]
        self.recogniser_ = self.recogniser_.with_classes(vectors, seeds)
        self._learn_classes(
            [*self.classes_.tolist(), *names],
            self.seen_ids_,
            np.concatenate([self.semantics_, vectors]),
            [*self.added_classes_.tolist(), *names],
        )
        return self

    def _by_attribute(self, semantics: Any) -> Any:
        """Turn mappings from attribute to number among the semantics into vectors."""
        if not isinstance(semantics, Mapping):
            return semantics
        return {
            name: [vector[known] for known in self._attributes_of(name, vector)]
            if isinstance(vector, Mapping)
            else vector
            for name, vector in semantics.items()
        }

    def _attributes_of(self, name: Any, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Check that a class is described by all known attributes, and return these in order."""
        if not self.attribute_names_:
            raise DataError(
                "the attributes of this model have no names",
                received=f"{name!r} described by name",
                remedy=f"Give {self.semantics_.shape[1]} numbers for a class, in the order of the training.",
            )
        check_attributes(values, self.attribute_names_)
        return self.attribute_names_

    def drop_classes(self, names: Sequence[Any]) -> GenerativeZSL:
        """Make the fitted estimator forget classes: they are no longer candidates.

        What the generator learnt from their samples or semantics stays in it. The scores of all other classes before
        the correction keep every bit.

        Args:
            names: Classes of any kind: seen, unseen or added.

        Returns:
            The estimator itself.

        Raises:
            UnknownNameError: If a class is not known. Nothing is dropped then.
            DataError: If none would be left.
        """
        self._check_fitted()
        dropped = np.unique(self._ids_of(np.asarray(names)))
        kept = np.setdiff1d(np.arange(len(self.classes_)), dropped)
        if not kept.size:
            raise DataError(
                "no class would be left to recognise",
                expected=f"at most {len(self.classes_) - 1} classes to drop",
                received=str(len(dropped)),
                remedy="Add other classes first.",
            )
        left = self.classes_[kept].tolist()
        self.recogniser_ = self.recogniser_.without_classes(dropped)
        self._learn_classes(
            left,
            np.flatnonzero(np.isin(kept, self.seen_ids_)),
            self.semantics_[kept],
            [name for name in self.added_classes_.tolist() if name in set(left)],
        )
        return self

    def save(self, folder: str | Path) -> None:
        """Write the fitted estimator to a folder: safetensors and JSON, no pickle.

        Of training samples it holds statistics of their classes alone; the mean of a class with a single training row
        is that row.

        Raises:
            RunFolderError: If the folder cannot be written.
        """
        self._check_fitted()
        facts = {
            "zslearn": __version__,
            "model": self.model,
            "settings": asdict(self.recogniser_.config),
            "seed": self._whole_seed(),
            "rehearse": self.rehearse,
            "feature_space": self.recogniser_.feature_space_kind,
            "feature_dim": self.n_features_in_,
            "feature_names": list(getattr(self, "feature_names_in_", ())),
            "image_shape": self.image_shape_,
            "backbone": self.backbone_,
            "text_encoder": self.text_encoder_,
            "attributes": list(self.attribute_names_),
            "classes": self.classes_.tolist(),
            "seen": self.classes_[self.seen_ids_].tolist(),
            "added": self.added_classes_.tolist(),
            "rehearsal": None if self.rehearsal_ is None else asdict(self.rehearsal_),
        }
        tensors = {**self.recogniser_.arrays(), "classes.semantics": torch.tensor(self.semantics_)}
        write_model(Path(folder), facts, tensors)

    @classmethod
    def load(cls, folder: str | Path, *, device: str = "auto") -> GenerativeZSL:
        """Read an estimator that ``save`` wrote; it predicts the same bits.

        Raises:
            RunFolderError: If the folder holds no model, or a damaged or foreign one.
            DataError: If the model's facts or tensors do not belong together.
        """
        facts, tensors = read_model(Path(folder))
        try:
            estimator = cls(
                facts["model"],
                settings=facts["settings"],
                rehearse=facts["rehearse"],
                seed=facts["seed"],
                device=device,
            )
            estimator.recogniser_ = restore_recogniser(
                facts["model"], facts["settings"], facts["feature_space"], tensors, resolve_device(device)
            )
            estimator.rehearsal_ = _restored_rehearsal(facts["rehearsal"])
            names, seen = facts["classes"], set(facts["seen"])
            seen_ids = np.array([i for i, name in enumerate(names) if name in seen], dtype=np.int64)
            estimator._learn_classes(names, seen_ids, tensors["classes.semantics"].numpy(), facts["added"])
            estimator.n_features_in_ = facts["feature_dim"]
            if facts["feature_names"]:
                estimator.feature_names_in_ = np.asarray(facts["feature_names"], dtype=object)
            estimator.image_shape_ = None if facts["image_shape"] is None else tuple(facts["image_shape"])
            estimator.backbone_, estimator.text_encoder_ = facts["backbone"], facts["text_encoder"]
            estimator.attribute_names_ = tuple(facts["attributes"])
            estimator._check_restored(tensors)
        except ZslearnError:
            raise
        # A model from a stranger may combine facts and tensors in ways that end in errors of any type.
        except Exception as error:
            raise DataError(
                f"the model in {folder} is incomplete",
                received=f"{type(error).__name__}: {error}",
                remedy="Save it again.",
            ) from error
        return estimator

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Show scikit-learn's picture of the estimator and, once it is fitted, what it knows."""
        bundle: dict[str, Any] = super()._repr_mimebundle_(**kwargs)
        if hasattr(self, "recogniser_"):
            bundle["text/html"] = bundle.get("text/html", "") + self._facts_html()
        return bundle

    def _facts_html(self) -> str:
        rehearsal = self.rehearsal_
        facts: dict[str, object] = {
            "features": self.n_features_in_,
            "seen classes": listed(self.seen_classes_.tolist()),
            "unseen classes": listed(self.unseen_classes_.tolist()),
        }
        if self.added_classes_.size:
            facts["added after the fit"] = listed(self.added_classes_.tolist())
        if rehearsal is None:
            facts["rehearsal"] = "none: nothing is corrected"
        else:
            facts["rehearsed H"] = (
                f"{percent(rehearsal.corrected.h)} % corrected, {percent(rehearsal.uncorrected.h)} % not"
            )
            facts["calibration error"] = f"{percent(rehearsal.calibration_error)} %"
        return facts_html(f"{self.model}, fitted", facts)

    @property
    def offset_(self) -> float:
        """What a corrected score subtracts from seen classes; 0 without a rehearsal."""
        return 0.0 if self.rehearsal_ is None else self.rehearsal_.offset

    def _check_restored(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Score and draw one sample: whatever does not fit together shows now, and not in the middle of a file."""
        sides = {side for tensor in tensors.values() for side in tensor.shape}
        if self.n_features_in_ not in sides:
            raise ValueError(f"no tensor has a side of {self.n_features_in_} features")
        if self.semantics_.ndim != 2 or len(self.semantics_) != len(self.classes_):
            raise ValueError(f"semantics of shape {self.semantics_.shape} for {len(self.classes_)} classes")
        scores = self.recogniser_.scores(np.zeros((1, self.n_features_in_), dtype=np.float32))
        if scores.shape != (1, len(self.classes_)) or not np.isfinite(scores).all():
            raise ValueError(f"scores of shape {scores.shape} that are not all finite")
        if self.recogniser_.generates:
            self.recogniser_.synthesize(self.semantics_[:1], 1, 0)

    def _learn_classes(
        self, names: Sequence[Any], seen_ids: Ids, semantics: Semantics, added: Sequence[Any] = ()
    ) -> None:
        self.classes_ = np.asarray(names)
        self.seen_ids_ = seen_ids
        self.unseen_ids_ = np.setdiff1d(np.arange(len(self.classes_)), seen_ids)
        self.seen_classes_ = self.classes_[self.seen_ids_]
        self.unseen_classes_ = self.classes_[self.unseen_ids_]
        self.added_classes_ = np.asarray(added, dtype=self.classes_.dtype)
        self.semantics_ = semantics
        self.torch_ = getattr(self, "torch_", False)

    def _candidate_ids(self, candidates: Candidates | Sequence[Any]) -> Ids:
        self._check_fitted()
        if isinstance(candidates, str):
            known = {
                "all": np.arange(len(self.classes_)),
                "seen": self.seen_ids_,
                "unseen": self.unseen_ids_,
            }
            if candidates not in known:
                raise unknown_name("set of candidates", candidates, known)
            ids = known[candidates]
        else:
            ids = self._ids_of(np.asarray(candidates))
        if not ids.size:
            raise DataError(
                "there is no candidate to choose", expected="at least one class", remedy="Name the candidates."
            )
        return ids

    def _ids_of(self, names: NDArray[Any]) -> Ids:
        index = {name: class_id for class_id, name in enumerate(self.classes_.tolist())}
        wanted = np.atleast_1d(names).tolist()
        for name in wanted:
            if name not in index:
                raise unknown_name("class", str(name), map(str, index))
        return np.array([index[name] for name in wanted], dtype=np.int64)

    def _check_fitted(self) -> None:
        if not hasattr(self, "recogniser_"):
            raise NotFittedError("this GenerativeZSL is not fitted. Call fit first.")

    @staticmethod
    def _like(X: Any, values: NDArray[Any]) -> Any:
        if isinstance(X, torch.Tensor) and values.dtype.kind in "if":
            return torch.from_numpy(values).to(X.device)
        return values


def _check_batch(settings: Mapping[str, Any], n_rows: int) -> None:
    """Refuse a batch that was asked for and is larger than the data; a default one draws some rows twice."""
    size = settings.get("batch_size")
    if isinstance(size, int) and size > n_rows:
        raise ConfigError(
            "the batch is larger than the data",
            expected=f"batch_size of at most {n_rows}, the number of training rows",
            received=str(size),
            remedy="Lower batch_size.",
        )


def _check_scores(scores: Scores, features: Features) -> None:
    """Refuse rows so large that their scores are no longer finite: of these the first class would be the best."""
    finite = np.isfinite(scores).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(
            "the model has no finite scores for a row",
            expected="features as large as those of the training",
            received=f"values up to {np.abs(features[row]).max():.3g} in row {row} of these {len(features)} "
            "(counted from 0)",
            remedy="Rescale or remove that row.",
        )


def _restored_rehearsal(facts: dict[str, Any] | None) -> Rehearsal | None:
    if facts is None:
        return None
    return Rehearsal(
        **{
            **facts,
            "uncorrected": Metrics(**facts["uncorrected"]),
            "corrected": Metrics(**facts["corrected"]),
            "ausuc": tuple(facts["ausuc"]),
            "pretend_unseen": tuple(map(tuple, facts["pretend_unseen"])),
        }
    )
