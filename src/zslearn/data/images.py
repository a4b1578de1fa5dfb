"""Photographs to feature vectors: reading any common image, and encoding it with a pretrained backbone."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np

from zslearn.data.pretrained import EXTRA, Pretrained, find_pretrained, load_weights
from zslearn.errors import DataError, ZslearnError, first_line, require_extra
from zslearn.shapes import Features

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_ENDINGS: Final = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".jp2"}
)
"""Endings, in lower case, of the files that are taken for images."""
MAX_PIXELS: Final = 1 << 27
"""Larger images are refused: a few hundred bytes can claim more pixels than fit into memory."""
_FORMATS: Final = ("JPEG", "MPO", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF", "JPEG2000")
"""The formats that are tried; others, such as EPS, would start foreign programs."""

Pooling = Literal["auto", "class", "mean", "pooler"]


def open_image(source: str | Path | IO[bytes], name: str | None = None) -> Image:
    """Read an image as the eye sees it: RGB, upright, the first frame, transparency over white.

    Args:
        source: A file, or an open stream of its bytes.
        name: What to call it in messages; by default the file's path.

    Raises:
        DataError: If it is missing, empty, truncated, not an image, of an unknown kind or too large.
        MissingExtraError: If pillow is not installed.
        MemoryError: If there is not enough memory for an image that is not too large.
    """
    with pillow_silenced():
        return decode_image(source, name)


@contextmanager
def pillow_silenced() -> Iterator[None]:
    """Ignore warnings as long as this lasts: what pillow warns of (odd metadata, many pixels) is harmless or refused.

    Which warnings are shown is a setting of the whole process, so that threads which change it and change it back are
    in each other's way: enter this around them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode_image(source: str | Path | IO[bytes], name: str | None = None) -> Image:
    """Read an image as ``open_image`` does, in any number of threads; what pillow warns of is not silenced.

    Args:
        source: As for ``open_image``.
        name: As for ``open_image``.

    Raises:
        DataError: As ``open_image``.
        MissingExtraError: If pillow is not installed.
        MemoryError: If there is not enough memory for an image that is not too large.
    """
    require_extra("PIL", EXTRA)
    from PIL import Image, ImageOps

    name = str(source) if name is None else name
    is_small_enough = False
    try:
        Image.init()
        with Image.open(source, formats=[kind for kind in _FORMATS if kind in Image.OPEN]) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(name, f"{image.width} x {image.height}")
            is_small_enough = True
            return _as_rgb(ImageOps.exif_transpose(image), name)
    except ZslearnError:
        raise
    except Image.DecompressionBombError as error:
        # Pillow has a limit of its own, above which it does not tell the size.
        raise _too_large(name, "far more") from error
    # Damaged images end in errors of almost every type (OS, value, syntax, struct, memory ...).
    except Exception as error:
        if is_small_enough and isinstance(error, MemoryError):
            # That is not the image's fault.
            raise
        raise DataError(
            f"{name} cannot be read as an image",
            expected="a complete image: JPEG, PNG, GIF, BMP, TIFF, WebP, PPM, AVIF or JPEG 2000",
            received=_cause(source, error),
            remedy="Repair it or leave it out.",
        ) from error


class ImageEncoder:
    """A pretrained backbone of transformers that turns images into feature vectors.

    Images are prepared as the backbone's own processor says. The features are what the backbone offers as
    the image's vector: an image-text model's image embedding; the pooled output of a convolutional network;
    the class token of a transformer that has one, and the mean over its tokens otherwise.

    Args:
        backbone: A folder with ``config.json`` and safetensors (looked for first), or a name on the hub.
        pooling: ``auto`` as described above, or one of ``class`` (token), ``mean`` and ``pooler``.
        half: Whether to compute with 16 bits (bfloat16 on a CPU, float16 elsewhere).
        device: ``auto``, ``cpu`` or ``cuda``.
        download: Whether the hub may be asked for what is not on this machine.

    Attributes:
        feature_dim: The size of a feature vector.

    Raises:
        DataError: If there is no backbone of that name, it is not an image model, or it lacks weights.
        UnknownNameError: If it can only be meant as a path and there is no such folder.
        MissingExtraError: If transformers or pillow is not installed.
    """

    def __init__(
        self,
        backbone: str | Path,
        *,
        pooling: Pooling = "auto",
        half: bool = False,
        device: str = "auto",
        download: bool = True,
    ) -> None:
        # A wrong path is told before the imports, which take seconds.
        self._pretrained = find_pretrained(backbone, download=download)
        require_extra("transformers", EXTRA)
        require_extra("PIL", EXTRA)
        import torch

        from zslearn.devices import resolve_device

        self._pooling = pooling
        self._half = half
        self._device = resolve_device(device)
        half_type = torch.bfloat16 if self._device.type == "cpu" else torch.float16
        self._dtype = half_type if half else torch.float32
        self._processor = _load_processor(self._pretrained)
        self._model = load_weights(self._pretrained).to(self._device, self._dtype)
        self.feature_dim = self._probe().shape[1]

    @classmethod
    def restore(
        cls, facts: Mapping[str, Any], *, backbone: str | Path | None = None, device: str = "auto"
    ) -> ImageEncoder:
        """Load the encoder that ``facts`` describe, as a data set, a record and a saved model hold them.

        Args:
            facts: What `facts` of the original encoder returned.
            backbone: Where the backbone is now, if it has moved, or its name on the hub, which is not asked otherwise.
            device: ``auto``, ``cpu`` or ``cuda``.

        Raises:
            DataError: If the backbone found has other weights or settings than the original; also as the class.
        """
        try:
            encoder = cls(
                backbone or facts["name"],
                pooling=facts["pooling"],
                half=facts["precision"] == "half",
                device=device,
                download=bool(backbone),
            )
            expected = facts["sha256"]
        except KeyError as error:
            raise DataError(
                "the backbone's description is incomplete", received=f"no {error}", remedy="Extract the features again."
            ) from error
        if encoder._pretrained.sha256 != expected:
            raise DataError(
                f"the backbone {encoder._pretrained.name} is not the one that made the features",
                expected=f"SHA-256 {expected[:12]}... over its files",
                received=f"{encoder._pretrained.sha256[:12]}...",
                remedy="Give the folder of the original backbone, or extract the features again with this one.",
            )
        return encoder

    def facts(self) -> dict[str, Any]:
        """Return what is needed to make the same features of other images, ready for JSON."""
        return {
            "name": self._pretrained.name,
            "sha256": self._pretrained.sha256,
            "model_type": self._pretrained.config.get("model_type"),
            "pooling": self._pooling,
            "precision": "half" if self._half else "float32",
            "feature_dim": self.feature_dim,
        }

    def encode(self, images: Sequence[Image | str | Path]) -> Features:
        """Encode one batch of images.

        Args:
            images: RGB images of pillow, or paths of image files.

        Returns:
            ``[n_images, feature_dim]`` float32.

        Raises:
            DataError: If a file cannot be read as an image, or the backbone's output is not finite.
        """
        return self.encode_prepared([self.prepare(image) for image in images])

    def prepare(self, image: Image | str | Path) -> Any:
        """Bring an image to the size and the numbers that the backbone takes: far less memory than a photograph.

        Any number of threads may prepare images of pillow at once.

        Args:
            image: An RGB image of pillow, or the path of an image file.

        Returns:
            A tensor ``[1, n_channels, height, width]``.

        Raises:
            DataError: If a file cannot be read as an image.
        """
        opened = open_image(image) if isinstance(image, str | Path) else image
        return self._processor(images=[opened], return_tensors="pt")["pixel_values"]

    def encode_prepared(self, prepared: Sequence[Any]) -> Features:
        """Encode one batch of images that ``prepare`` returned.

        Args:
            prepared: Tensors ``[1, n_channels, height, width]``.

        Returns:
            ``[n_images, feature_dim]`` float32.

        Raises:
            DataError: If the backbone's output is not finite.
        """
        if not prepared:
            return np.empty((0, self.feature_dim), dtype=np.float32)
        import torch

        with torch.inference_mode():
            pixels = torch.cat(list(prepared))
            features = self._features(pixels.to(self._device, self._dtype)).float().cpu().numpy()
        if not np.isfinite(features).all():
            raise DataError(
                f"the backbone {self._pretrained.name} gives numbers that are not finite",
                expected="finite features",
                remedy="Extract without half precision." if self._half else "Use another backbone.",
            )
        return np.ascontiguousarray(features)

    def _features(self, pixels: Any) -> Any:
        """Return one vector per image, ``[n_images, feature_dim]``."""
        if hasattr(self._model, "get_image_features"):
            return _pooled(self._model.get_image_features(pixel_values=pixels))
        output = self._model(pixel_values=pixels)
        states = output.last_hidden_state
        pooling = self._pooling
        if pooling == "auto":
            pooling = "pooler" if states.ndim == 4 else "class" if _has_class_token(self._model) else "mean"
        if pooling == "class" and states.ndim == 3:
            return states[:, 0]
        if pooling == "pooler" and _pooled(output) is not None:
            return _pooled(output).flatten(1)
        return states.mean(dim=(2, 3)) if states.ndim == 4 else states.mean(dim=1)

    def _probe(self) -> Features:
        """Encode a grey image: it tells the size of the features, and whether this is an image model at all."""
        from PIL import Image

        try:
            return self.encode([Image.new("RGB", (64, 64), (128, 128, 128))])
        except ZslearnError:
            raise
        # A model of another kind fails wherever its code happens to miss something.
        except Exception as error:
            raise _no_image_model(self._pretrained, first_line(error)) from error


def _pooled(output: Any) -> Any:
    return getattr(output, "pooler_output", output)


def _has_class_token(model: Any) -> bool:
    return any(
        name.rpartition(".")[2] in ("cls_token", "class_token", "class_embedding")
        for name, _ in model.named_parameters()
    )


def _load_processor(pretrained: Pretrained) -> Any:
    from transformers import AutoImageProcessor

    try:
        return AutoImageProcessor.from_pretrained(
            pretrained.folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except Exception as error:
        raise _no_image_model(pretrained, "no image processor") from error


def _no_image_model(pretrained: Pretrained, cause: str) -> DataError:
    return DataError(
        f"{pretrained.name} is not an image model",
        expected="a backbone with an image processor, such as a ResNet, ViT, DINOv2, MobileNet or CLIP",
        received=f"{pretrained.config.get('model_type', 'a model')}: {cause}",
        remedy="Give the folder or the hub name of an image backbone.",
    )


def _too_large(name: str, size: str) -> DataError:
    return DataError(
        f"{name} is too large", expected=f"at most {MAX_PIXELS:,} pixels", received=size, remedy="Scale it down."
    )


def _as_rgb(image: Image, name: str) -> Image:
    from PIL import Image as images

    if image.mode.startswith("I;16"):
        # Sixteen bits are scaled to eight; pillow alone would clip them.
        return images.fromarray((np.asarray(image, dtype=np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise DataError(
            f"{name} holds measurements, not colours",
            expected="an image with 8 or 16 bits per colour",
            received=f"mode {image.mode}",
            remedy="Save it as an image with 8 bits per colour.",
        )
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        opaque = images.new("RGBA", image.size, "white")
        opaque.alpha_composite(image.convert("RGBA"))
        return opaque.convert("RGB")
    return image.convert("RGB")


def _cause(source: object, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(source, str | Path):
        path = Path(source)
        if path.is_dir():
            return "a folder"
        try:
            if not path.stat().st_size:
                return "an empty file"
        except OSError as cause:
            return cause.strerror or type(cause).__name__
    if isinstance(error, UnidentifiedImageError):
        return "a file of another kind"
    return f"{type(error).__name__}: {first_line(error)}"
