"""The built-in data set: 36 characters in 21 typefaces, as pictures of 16 by 16 pixels.

Every character is drawn five times in every face, each time rotated, scaled, shifted and made noisy
anew. A model that is told what an unseen letter looks like (`zslearn.data.glyph_semantics`) can be asked
to draw it. `scripts/build_glyphs.py` makes the file that ships with the package; this module reads it.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Final

import numpy as np

from zslearn.data.dataset import ZSLDataset
from zslearn.data.glyph_semantics import ATTRIBUTES, CHARACTERS
from zslearn.errors import DataError

FACES: Final[tuple[str, ...]] = (
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-Oblique",
    "DejaVuSans-BoldOblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-Oblique",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-Italic",
    "DejaVuSerif-BoldItalic",
    "STIXGeneral",
    "STIXGeneralBol",
    "STIXGeneralItalic",
    "STIXGeneralBolIta",
    "cmr10",
    "cmb10",
    "cmti10",
    "cmss10",
    "cmtt10",
)
"""The typefaces in the order of their ids, named as matplotlib's font files are.

They are listed because character maps cannot be trusted: LastResortHE, cmex10 and cmsy10 claim the codes
of letters or digits for other signs. cmmi10 is left out for its old-style digits.
"""

HELDOUT_FACES: Final[tuple[str, ...]] = ("DejaVuSans-Bold", "DejaVuSansMono-Oblique", "STIXGeneral", "cmti10")
"""The faces of the seen test samples, absent from training: sans, mono, upright serif and italic serif."""

REHEARSAL_FACES: Final[tuple[str, ...]] = (
    "DejaVuSans-Oblique",
    "DejaVuSansMono-Bold",
    "cmr10",
    "STIXGeneralItalic",
)
"""The training faces that a rehearsal holds out, of the same four kinds as `HELDOUT_FACES`."""

UNSEEN_DRAW: Final[tuple[tuple[str, int], ...]] = (
    ("BCDGJOPQRSU", 3),
    ("EFHILT", 1),
    ("AKMNVWXYZ", 2),
    ("0123456789", 2),
)
"""How many unseen characters come from each kind: round, straight and diagonal letters, and digits.

About as many as each kind's share of the 36. One `numpy.random.default_rng(2025)` drew them kind by kind
with `choice` without replacement.
"""

UNSEEN_CHARACTERS: Final[str] = "JLSUWY38"
"""The unseen classes of the official split, drawn as `UNSEEN_DRAW` says.

They were fixed before any model was trained.
"""

GLYPHS_FILE: Final[Path] = Path(__file__).with_name("glyphs.npz")
"""The file that ships with the package."""

GLYPHS_SHA256: Final[str] = "03316529e58f539e82b7e75a388e68c53c47c7fb135fed3a8ad9b5ab236ff084"
"""The SHA-256 of `GLYPHS_FILE`, as `scripts/build_glyphs.py` prints it."""

_SOURCE: Final[str] = "rendered from the DejaVu, STIX and Computer Modern fonts that matplotlib ships"


def load_glyphs(file: Path = GLYPHS_FILE) -> ZSLDataset:
    """Read the built-in glyphs with their official split.

    Training rows are seen characters in 17 faces, seen test rows the same characters in the four
    `HELDOUT_FACES`, unseen test rows `UNSEEN_CHARACTERS` in all faces. Features are grey levels in [0, 1],
    0 for paper and 1 for ink, row by row from the top left; `groups` holds the ids of faces.

    Args:
        file: Where the data are; the default is the shipped file.

    Raises:
        DataError: If the file is missing or its checksum is wrong.
    """
    with np.load(io.BytesIO(_intact_bytes(file)), allow_pickle=False) as arrays:
        images, labels, faces = arrays["images"], arrays["labels"], arrays["faces"]
        semantics = arrays["semantics"]
    unseen_ids = np.array(sorted(map(CHARACTERS.index, UNSEEN_CHARACTERS)), dtype=np.int64)
    heldout_groups = tuple(map(FACES.index, HELDOUT_FACES))
    unseen, heldout = np.isin(labels, unseen_ids), np.isin(faces, heldout_groups)
    return ZSLDataset(
        name="glyphs",
        split="official",
        source=_SOURCE,
        warnings=(),
        features=images.reshape(len(images), -1).astype(np.float32) / np.float32(255),
        labels=labels,
        semantics=semantics,
        class_names=CHARACTERS,
        attribute_names=ATTRIBUTES,
        seen_ids=np.setdiff1d(np.arange(len(CHARACTERS), dtype=np.int64), unseen_ids),
        unseen_ids=unseen_ids,
        train_rows=np.flatnonzero(~unseen & ~heldout),
        test_seen_rows=np.flatnonzero(~unseen & heldout),
        test_unseen_rows=np.flatnonzero(unseen),
        groups=faces,
        heldout_groups=heldout_groups,
        rehearsal_groups=tuple(map(FACES.index, REHEARSAL_FACES)),
        image_shape=(images.shape[1], images.shape[2]),
    )


def _intact_bytes(file: Path) -> bytes:
    """Read the file and compare its checksum with the one that this version was released with."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise DataError(
            f"the built-in glyphs cannot be read from {file}",
            received=error.strerror or type(error).__name__,
            remedy="Install zslearn again.",
        ) from error
    received = hashlib.sha256(content).hexdigest()
    if received != GLYPHS_SHA256:
        raise DataError(
            f"the built-in glyphs in {file} are damaged",
            expected=f"SHA-256 {GLYPHS_SHA256}",
            received=received,
            remedy="Install zslearn again.",
        )
    return content
