"""Files that somebody tries a model on, to features: images, photographs, or rows of numbers."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from zslearn.data.blocks import TEXT_ENDINGS, feature_blocks
from zslearn.data.images import ImageEncoder, open_image
from zslearn.data.own import FEATURE_ENDINGS
from zslearn.errors import DataError
from zslearn.estimator import GenerativeZSL
from zslearn.shapes import Features

if TYPE_CHECKING:
    from PIL.Image import Image

ROW_ENDINGS: Final = tuple(dict.fromkeys((*FEATURE_ENDINGS, *TEXT_ENDINGS)))
"""Endings, in lower case, of files that hold rows of features; everything else is taken for an image."""
MAX_UPLOAD_BYTES: Final = 64 << 20
"""What a file may hold, unless ``ZSLEARN_MAX_BYTES`` says otherwise."""
MAX_ROWS: Final = 5_000
"""How many rows of a file are looked at; `zslearn predict` has no such limit."""
_INK = 0.35
"""From how dark on a pixel belongs to what is drawn, where 1 is ink."""
_NAME_LENGTH = 60

Picture = Float[np.ndarray, "height width"]


@dataclass(frozen=True)
class Upload:
    """What was uploaded, as a model takes it."""

    features: Features
    """[n_rows, feature_dim]."""
    note: str = ""
    """What was done to it, as a sentence; nothing where it was taken as it is."""


class UploadReader:
    """Reads uploaded files into features.

    Args:
        estimator: The model that they are for.
        extent: How long the longer side of what is drawn is, as a share of the longer side of an image; images of
            another size than the model's are brought to it.
        backbone: Where the backbone for photographs is, if it has moved.
    """

    def __init__(self, estimator: GenerativeZSL, *, extent: float = 1.0, backbone: str | Path | None = None) -> None:
        self._facts = estimator.backbone_
        self._image_shape = estimator.image_shape_
        self._n_features = estimator.n_features_in_
        self._extent = extent
        self._backbone = backbone
        self._encoder: ImageEncoder | None = None

    @property
    def takes_images(self) -> bool:
        """Whether images can be made into features at all."""
        return self._image_shape is not None or self._facts is not None

    def read(self, name: str, content: bytes) -> Upload:
        """Return the features in a file.

        Args:
            name: The file's name, which tells its kind.
            content: The file.

        Raises:
            DataError: If it is empty, damaged, of another kind, or does not fit the model.
            MissingExtraError: If reading it needs an extra that is not installed.
        """
        name = PurePosixPath(name.replace("\\", "/")).name or "the file"
        name = "".join(letter if letter.isprintable() else "_" for letter in name)
        if not content:
            raise DataError(f"{name} is empty", remedy="Choose another file.")
        if Path(name).suffix.lower() in ROW_ENDINGS:
            return Upload(self._rows(name, content))
        if not self.takes_images:
            raise DataError(
                f"{name} holds no rows of features",
                expected=f"a file with rows of {self._n_features} numbers ({', '.join(ROW_ENDINGS)})",
                remedy="This run does not know how its features were made of images.",
            )
        image = open_image(io.BytesIO(content), name)
        if self._image_shape is not None:
            return self._grey(image, name, self._image_shape)
        if self._encoder is None:
            assert self._facts is not None
            self._encoder = ImageEncoder.restore(self._facts, backbone=self._backbone)
        return Upload(self._encoder.encode([image]))

    def _rows(self, name: str, content: bytes) -> Features:
        blocks: list[Any] = []
        with tempfile.TemporaryDirectory() as folder:
            # Readers speak of the file by its name, and take its kind from the ending.
            path = Path(folder, f"{Path(name).stem[:_NAME_LENGTH]}{Path(name).suffix.lower()}")
            path.write_bytes(content)
            for block in feature_blocks(path, MAX_ROWS + 1):
                blocks.append(np.array(block, dtype=np.float32))
                if sum(map(len, blocks)) > MAX_ROWS:
                    raise DataError(
                        f"{name} holds too many rows for this page",
                        expected=f"at most {MAX_ROWS:,}",
                        remedy="Give a part of it, or use: zslearn predict",
                    )
        features = np.concatenate(blocks) if blocks else np.empty((0, self._n_features), dtype=np.float32)
        if not len(features):
            raise DataError(f"{name} holds no row", remedy="Choose another file.")
        if features.shape[1] != self._n_features:
            raise DataError(
                f"the rows of {name} do not fit the model",
                expected=f"{self._n_features} numbers in a row",
                received=str(features.shape[1]),
                remedy="Make them as those of the training were made.",
            )
        return features

    def _grey(self, image: Image, name: str, shape: tuple[int, int]) -> Upload:
        """Turn an image into ink on paper in the model's size; only another size is fitted."""
        ink = 1.0 - np.asarray(image.convert("L"), dtype=np.float32) / 255
        border = np.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        if np.median(border) > 0.5:
            ink = 1.0 - ink
        if ink.shape == shape:
            return Upload(ink.reshape(1, -1))
        fitted = _fitted(ink, shape, self._extent)
        if fitted is None:
            raise DataError(
                f"{name} shows nothing",
                expected=f"something dark on light paper, {shape[1]} x {shape[0]} pixels or more",
                received=f"{image.width} x {image.height} pixels of one shade",
                remedy="Draw with more contrast.",
            )
        return Upload(fitted.reshape(1, -1), f"{name} was brought from {image.width} x {image.height} pixels to size.")


def ink_extent(images: Features, shape: tuple[int, int]) -> float:
    """Return how long the longer side of what is drawn is in most images, as a share of the longer side of an image.

    Example:
        >>> bar = np.zeros((1, 4, 4))
        >>> bar[0, 1:3, 1] = 1
        >>> ink_extent(bar.reshape(1, 16), (4, 4))
        0.5
    """
    boxes = [_box(image) for image in images.reshape(-1, *shape)]
    sides = [max(down.stop - down.start, across.stop - across.start) for down, across in filter(None, boxes)]
    return float(np.median(sides)) / max(shape) if sides else 1.0


def _box(ink: Picture) -> tuple[slice, slice] | None:
    """Return where there is ink."""
    dark = ink > _INK
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not rows.size:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _fitted(ink: Picture, shape: tuple[int, int], extent: float) -> Picture | None:
    """Cut out what is drawn and lay it in the middle of paper of the right size, as large as is usual there."""
    from PIL import Image

    box = _box(ink)
    if box is None:
        return None
    drawn = ink[box]
    factor = min(
        extent * max(shape) / max(drawn.shape), *(side / size for side, size in zip(shape, drawn.shape, strict=True))
    )
    height, width = (max(1, round(side * factor)) for side in drawn.shape)
    small = Image.fromarray(np.ascontiguousarray(drawn)).resize(
        (width, height), Image.Resampling.BOX if factor < 1 else Image.Resampling.BILINEAR
    )
    paper = np.zeros(shape, dtype=np.float32)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    paper[top : top + height, left : left + width] = np.asarray(small)
    return paper
