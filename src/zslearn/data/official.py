"""The splits of the field's benchmarks, to be recognised: a digest of the row numbers of each, not the numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from zslearn.shapes import Ids

_DIGESTS: Final[Mapping[str, str]] = {
    "APY": "49b8679bb07b8e141c7635ec31a36de4d88acd0ceecbb1688e357cde50850b99",
    "AWA1": "ad309580f6447ef29608043cfdc2c6a79c757f6edcd80c05583a2c63ac0eae76",
    "AWA2": "985dd66e13ca922adeaecc088bf87a121dedf95e26d3760e70da4732dde7138f",
    "CUB": "59a0c5a848b914481e7b1fdb0abcb5317300f203d559c056660b3bd7304a2568",
    "FLO": "f14a47aeb1c5a12eff17eea97404441f0a2f73453dfbfd643bff3f36f55618b7",
    "SUN": "b890d83dc3135aa62add3b03853310e687c19e41af5d89e41ed7067f3986b838",
}
"""By the name of the data set; the semantics of CUB come in two files with one split."""


def unverified(name: str, parts: Sequence[Ids]) -> tuple[str, ...]:
    """Return a warning if a data set bears the name of a benchmark and its split is not that benchmark's.

    Args:
        name: The name of the data set's folder.
        parts: The row numbers of the training rows and of the seen and unseen test rows, counted from anywhere.
    """
    expected = _DIGESTS.get(name.upper())
    if expected is None or split_digest(parts) == expected:
        return ()
    return (f"unverified split: it is not the one that is known as the official split of {name.upper()}",)


def split_digest(parts: Sequence[Ids]) -> str:
    """Return the SHA-256 of a split as 64 hex digits; neither order within parts nor where counting starts matters."""
    first = min((int(part.min()) for part in parts if len(part)), default=0)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode() + (np.sort(part) - first).astype("<i8").tobytes())
    return digest.hexdigest()
