"""A model in use: its classes, what it imagines, whom it recognises. Answers are ready for JSON; no page is needed."""

from __future__ import annotations

import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from zslearn.app.descriptions import Describer
from zslearn.app.samples import RealSamples
from zslearn.app.uploads import MAX_UPLOAD_BYTES, ROW_ENDINGS, UploadReader, ink_extent
from zslearn.data.own import NamedSemantics
from zslearn.data.text import write_semantics
from zslearn.errors import DataError, ZslearnError, unknown_name
from zslearn.estimator import GenerativeZSL
from zslearn.inputs import typed_name
from zslearn.limits import byte_limit
from zslearn.runs import RECORD_FILE, read_record
from zslearn.shapes import Features
from zslearn.sheets import picture_strip
from zslearn.training.streams import derive_seed

SEEN, UNSEEN, ADDED = "seen", "unseen", "added"
N_DRAWN: Final = 64
"""How many samples of a class are drawn; the answers and the nearest samples are those of all of them."""
N_PICTURES: Final = 15
"""How many of them are shown, besides their mean."""
N_NEAREST: Final = 20
"""How many real samples nearest to the imagined mean are named."""
N_ANSWERS: Final = 5
"""How many classes an answer names, the most probable first."""
N_TRIED: Final = 6
"""How many rows of an upload are shown one by one; all are counted."""
N_REAL: Final = 10
"""How many real samples of a class are shown."""


class Session:
    """What the page talks to; one at a time may use the model, the others wait.

    Args:
        estimator: The fitted model. Classes are added to it in memory; its folder stays as it is.
        title: What to call it.
        facts: What else to say about it, by name.
        samples: Real samples of its classes.
        note: What a user should know, such as why there are no real samples.
        encoder: Where the text encoder for sentences is, if it has moved.
        backbone: Where the backbone for photographs is, if it has moved.
    """

    def __init__(
        self,
        estimator: GenerativeZSL,
        *,
        title: str = "a model",
        facts: Mapping[str, str] | None = None,
        samples: RealSamples | None = None,
        note: str = "",
        encoder: str | Path | None = None,
        backbone: str | Path | None = None,
    ) -> None:
        self._estimator = estimator
        self._title, self._facts, self._note = title, dict(facts or {}), note
        self._samples = samples
        self._describer = Describer(estimator, encoder)
        self._lock = threading.RLock()
        self._thumbnails: dict[str, str] = {}
        extent = 1.0
        if self._image_shape is not None:
            known = self._known_images()
            extent = ink_extent(known.reshape(-1, known.shape[-1]), self._image_shape) if known.size else 1.0
        self._reader = UploadReader(estimator, extent=extent, backbone=backbone)

    @classmethod
    def open(cls, folder: Path, *, encoder: str | Path | None = None, backbone: str | Path | None = None) -> Session:
        """Open a finished run, or a saved model.

        Args:
            folder: Its folder.
            encoder: Where the text encoder for sentences is, if it has moved.
            backbone: Where the backbone for photographs is, if it has moved.

        Raises:
            RunFolderError: If the folder is missing or foreign, or the run did not finish.
            DataError: If the model is damaged.
        """
        record = read_record(folder) if (folder / RECORD_FILE).exists() else None
        estimator = GenerativeZSL.load(folder)
        samples, note = None, "A saved model holds no samples: imagined ones stand alone here."
        if record is not None:
            try:
                samples, note = RealSamples.of_run(record, estimator), ""
            except (ZslearnError, OSError) as error:
                note = f"No real samples are shown: {error}"
        return cls(
            estimator,
            title=folder.resolve().name,
            facts=_facts(record, estimator),
            samples=samples,
            note=note,
            encoder=encoder,
            backbone=backbone,
        )

    def overview(self) -> dict[str, Any]:
        """Return all that the page has to know before anything is asked."""
        with self._lock:
            return {
                "title": self._title,
                "facts": self._facts,
                "note": self._note,
                "generates": self._generates,
                "n_drawn": N_DRAWN,
                "images": self._image_shape,
                "real": self._samples is not None,
                "ways": list(self._describer.ways),
                "sliders": [vars(slider) for slider in self._describer.sliders],
                "classes": [
                    {"name": name, "kind": kind, "picture": self._thumbnail(name)} for name, kind in self._kinds.items()
                ],
                "uploads": {
                    "images": self._reader.takes_images,
                    "rows": list(ROW_ENDINGS),
                    "max_bytes": self.max_upload_bytes,
                },
            }

    def look(self, name: str, *, seed: int = 0) -> dict[str, Any]:
        """Return a known class: where its sliders stand, what is imagined of it, and real samples.

        Args:
            name: The class.
            seed: Same seed, same samples.

        Raises:
            UnknownNameError: If there is no such class.
        """
        with self._lock:
            class_id = self._class_id(name)
            imagined = self._imagined(self._estimator.semantics_[class_id], seed)
            return {"values": self._describer.values(class_id), **imagined, "real": self._real(name)}

    def imagine(self, description: Mapping[str, Any], *, seed: int = 0) -> dict[str, Any]:
        """Return what the model imagines of a described class.

        Args:
            description: As `Describer` takes it.
            seed: Same seed, same samples.

        Returns:
            ``mean`` and ``pictures`` (PNG in base64, where samples are images), ``answers`` (the classes that the model
            would name on what it imagined, with the mean probability) and ``nearest`` (real samples).

        Raises:
            ZslearnError: If the description is not usable.
        """
        with self._lock:
            return {**self._imagined(self._describer.semantics(description), seed), "real": []}

    def add(self, name: str, description: Mapping[str, Any]) -> dict[str, Any]:
        """Add a described class, in memory, and return the new overview.

        Raises:
            ZslearnError: If the name is taken or blank, or the description is not usable. Nothing is added then.
        """
        with self._lock:
            self._estimator.add_classes({self._new_name(name): self._describer.semantics(description)})
            return self.overview()

    def drop(self, name: str) -> dict[str, Any]:
        """Drop a class that was added, and return the new overview.

        Raises:
            UnknownNameError: If there is no such class.
            DataError: If it was not added.
        """
        with self._lock:
            class_id = self._class_id(name)
            if self._kinds[name] != ADDED:
                raise DataError(f"{name!r} was not added", remedy="Only added classes can be dropped here.")
            self._estimator.drop_classes([self._estimator.classes_.tolist()[class_id]])
            self._thumbnails.pop(name, None)
            return self.overview()

    def recognise(self, name: str, content: bytes) -> dict[str, Any]:
        """Return what the model takes an uploaded file for.

        Args:
            name: The file's name.
            content: The file.

        Returns:
            ``counts`` (how many rows are taken for which class), ``rows`` (the first ones, with a picture where samples
            are images, and the most probable classes) and ``note``.

        Raises:
            ZslearnError: If the file cannot be read, or does not fit the model.
        """
        with self._lock:
            upload = self._reader.read(name, content)
            return {**self._recognised(upload.features), "note": upload.note}

    def recognise_real(self, name: str) -> dict[str, Any]:
        """Return what the model takes real samples of a class for, as ``recognise`` does.

        Raises:
            UnknownNameError: If there is no such class.
            DataError: If there is no real sample of it.
        """
        with self._lock:
            self._class_id(name)
            features = self._real_features(name)
            if not len(features):
                raise DataError(f"there is no real sample of {name!r} here", remedy="Upload some.")
            return {**self._recognised(features), "note": ""}

    def added_semantics(self) -> bytes:
        """Return the added classes as a file that ``zslearn classes RUN add --from`` takes.

        Raises:
            DataError: If no class was added.
        """
        with self._lock:
            added = [name for name, kind in self._kinds.items() if kind == ADDED]
            if not added:
                raise DataError("no class has been added", remedy="Add one first.")
            vectors = self._estimator.semantics_[[self._class_id(name) for name in added]]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "added.npz")
            write_semantics(path, NamedSemantics("added", tuple(added), vectors))
            return path.read_bytes()

    @property
    def max_upload_bytes(self) -> int:
        """What a file that somebody tries may hold."""
        return byte_limit(MAX_UPLOAD_BYTES)

    @property
    def _generates(self) -> bool:
        return self._estimator.recogniser_.generates

    @property
    def _image_shape(self) -> tuple[int, int] | None:
        shape: tuple[int, int] | None = self._estimator.image_shape_
        return shape

    def _imagined(self, semantics: Any, seed: int) -> dict[str, Any]:
        if not self._generates:
            return {"mean": None, "pictures": [], "answers": [], "nearest": []}
        drawn = self._drawn(semantics, seed)
        mean = drawn.mean(axis=0)
        shares = np.asarray(self._estimator.predict_proba(drawn)).mean(axis=0)
        best = np.argsort(-shares, kind="stable")[:N_ANSWERS]
        return {
            "mean": self._picture(mean),
            "pictures": [self._picture(sample) for sample in drawn[:N_PICTURES]] if self._image_shape else [],
            "answers": self._answers(best.tolist(), shares[best].tolist()),
            "nearest": self._nearest(mean),
        }

    def _nearest(self, mean: Any) -> list[dict[str, Any]]:
        if self._samples is None:
            return []
        rows, names, similarities = self._samples.nearest(mean, N_NEAREST)
        pictures = [self._picture(self._samples.features[row]) for row in rows.tolist()]
        kinds = self._kinds
        return [
            {"name": name, "kind": kinds.get(name), "similarity": round(similarity, 3), "picture": picture}
            for name, similarity, picture in zip(names, similarities, pictures, strict=True)
        ]

    def _recognised(self, features: Features) -> dict[str, Any]:
        shares = np.asarray(self._estimator.predict_proba(features))
        best = np.argsort(-shares, axis=1, kind="stable")[:, :N_ANSWERS]
        named = list(self._kinds.items())
        return {
            "n_rows": len(features),
            "counts": [
                {"name": named[class_id][0], "kind": named[class_id][1], "count": count}
                for class_id, count in Counter(best[:, 0].tolist()).most_common()
            ],
            "rows": [
                {"picture": self._picture(sample), "answers": self._answers(ids.tolist(), row[ids].tolist())}
                for sample, row, ids in zip(features[:N_TRIED], shares, best, strict=False)
            ],
        }

    def _answers(self, class_ids: Sequence[int], shares: Sequence[float]) -> list[dict[str, Any]]:
        named = list(self._kinds.items())
        return [
            {"name": named[class_id][0], "kind": named[class_id][1], "share": round(share, 4)}
            for class_id, share in zip(class_ids, shares, strict=True)
        ]

    def _real(self, name: str) -> list[str | None]:
        return [self._picture(sample) for sample in self._real_features(name)[:N_REAL]] if self._image_shape else []

    def _real_features(self, name: str) -> Features:
        if self._samples is None:
            return np.empty((0, self._estimator.n_features_in_), dtype=np.float32)
        return self._samples.of(name)

    def _picture(self, sample: Any) -> str | None:
        return None if self._image_shape is None else picture_strip(sample[None], self._image_shape)

    def _thumbnail(self, name: str) -> str | None:
        """The mean of what is imagined of a class, which is drawn once; of real samples where nothing is imagined."""
        if self._image_shape is None:
            return None
        if name not in self._thumbnails:
            semantics = self._estimator.semantics_[self._class_id(name)]
            samples = self._drawn(semantics, 0) if self._generates else self._real_features(name)
            if not len(samples):
                return None
            self._thumbnails[name] = picture_strip(samples.mean(axis=0, keepdims=True), self._image_shape)
        return self._thumbnails[name]

    def _drawn(self, semantics: Any, seed: int) -> Features:
        seed = derive_seed(seed, "imagine")
        return np.asarray(self._estimator.recogniser_.synthesize(semantics[None], N_DRAWN, seed)[0])

    def _known_images(self) -> Features:
        """Images as the model knows them: real ones, or else imagined ones."""
        if self._samples is not None:
            return self._samples.features
        if not self._generates:
            return np.empty((0, self._estimator.n_features_in_), dtype=np.float32)
        return np.asarray(self._estimator.synthesize(self._estimator.classes_.tolist(), 1))

    @property
    def _kinds(self) -> dict[str, str]:
        """The kind of every class, in the order of the class ids."""
        added, seen = set(self._estimator.added_classes_.tolist()), set(self._estimator.seen_classes_.tolist())
        return {
            str(name): ADDED if name in added else SEEN if name in seen else UNSEEN
            for name in self._estimator.classes_.tolist()
        }

    def _new_name(self, text: str) -> str | int:
        """Return a name of the type that the other classes' names have."""
        name = " ".join(text.split())
        if not name:
            raise DataError("the class has no name", remedy="Give it one.")
        return typed_name(name, self._estimator.classes_.tolist())

    def _class_id(self, name: str) -> int:
        names = list(self._kinds)
        if name not in names:
            raise unknown_name("class", name, names)
        return names.index(name)


def _facts(record: Mapping[str, Any] | None, estimator: GenerativeZSL) -> dict[str, str]:
    """What to say about a model in a line."""
    facts = {"model": estimator.model}
    if record is not None:
        data = record.get("data", {})
        facts["data"] = f"{data.get('name', 'unknown')}, split {data.get('split', 'unknown')}"
    facts["seen classes"] = str(len(estimator.seen_classes_))
    facts["never seen"] = str(len(estimator.unseen_classes_) - len(estimator.added_classes_))
    return facts
