"""Figures that others published, with their sources and with what speaks against comparing them.

They are facts taken from tables and READMEs, most of them copies of copies. They stand beside measured figures, never
in one ranking with them: features, semantics, code and what was chosen on what differ from row to row.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from zslearn.errors import DataError, unknown_name

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "S1": "SDGZSL, README of its code",
        "S2": "DKGZSL, README of its code",
        "S3": "SCFA-GZSL, README of its code",
        "S4": "ZLA (IJCAI 2022), README of its code",
        "S5": "ZeroDiff (ICLR 2025), paper and README",
        "S6": "GAZSL, README of its code, after table 6 of Xian et al. (TPAMI)",
        "S7": "gAL, README of its code",
        "S8": "a blog post by H. Hemati",
        "S10": "HSVA, README of its code",
        "S11": "MSDN, README of its code",
        "S12": "TransZero, README of its code",
        "S13": "APN, README of its code",
        "S14": "Z2FSL, README of its code",
        "S15": "CF-ZIR, paper",
        "S16": "CLAREL, paper",
        "S17": "CE-GZSL, issue 13 of its code",
    }
)
"""Where the figures were read, by the key that rows name."""

REMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "h-differs": "the printed H does not follow from the printed U and S",
        "h-renamed": "the source calls H by another name",
        "rerun-by-source": "run again by the authors of the source, not by those of the method",
        "columns-inferred": "which column is U and which S was inferred from the values",
        "semantics-mixed": "the source mixes kinds of semantics from row to row",
        "semantics-inferred": "the kind of semantics was inferred from code or from equal figures elsewhere",
        "released-model": "measured with the released model",
        "name-clash": "two methods bear this name; this is probably the later one",
        "swapped-in-s2": "S2 shows these figures with the two data sets swapped",
        "column-slip": "probably printed in the wrong column of the source",
        "differs-from-s1": "S1 shows other figures for the same method",
        "reported-in-issue": "told by the method's authors in an issue, not in the paper",
    }
)
"""What to know before relying on a row, by the word that rows use."""

FEATURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "resnet101": "ResNet-101",
        "resnet101-finetuned": "ResNet-101, fine-tuned",
        "resnet101-supcon": "ResNet-101, fine-tuned with a contrastive loss",
        "vit": "ViT",
        "clip-vit": "CLIP ViT",
        "vmamba": "VMamba",
        "epgn": "features that came with E-PGN",
        "unknown": "not stated",
    }
)
"""The kinds of features. ResNet-101 means only that the source lists the row so."""

CAVEAT: Final[str] = (
    "Copied from the sources named, most of which copied them in turn; features, semantics and code differ from row "
    "to row, and most methods report the epoch that is best on the test rows. Read them beside a measured figure, "
    "not against it."
)
"""What every table of published figures says."""

H_TOLERANCE: Final[float] = 0.3
"""In points: how far rounding of U, S and H can move H, with room for sloppy copies."""

_FAMILIES = ("generative", "embedding")
_SEMANTICS = ("attributes", "sentences", "unstated")


@dataclass(frozen=True, kw_only=True)
class PublishedResult:
    """One row: a method on a data set, as one source prints it. Figures are in percent."""

    method: str
    """As the source calls it."""
    year: str
    """When it appeared; empty where the source does not say."""
    family: str
    """``generative`` or ``embedding``."""
    data: str
    """The data set."""
    semantics: str
    """``attributes``, ``sentences``, or ``unstated`` where the source mixes both."""
    features: str
    """A key of `FEATURES`."""
    t1: float | None
    """Accuracy on unseen classes among these, in percent; None, here and below, where the source does not print it."""
    u: float | None
    """Accuracy on unseen classes among all, in percent."""
    s: float | None
    """Accuracy on seen classes among all, in percent."""
    h: float | None
    """The harmonic mean, as printed, in percent."""
    source: str
    """A key of `SOURCES`."""
    remarks: tuple[str, ...]
    """Keys of `REMARKS`."""

    @property
    def h_of_u_and_s(self) -> float | None:
        """The harmonic mean of the printed U and S in percent, where both are printed."""
        if self.u is None or self.s is None:
            return None
        return 2 * self.u * self.s / (self.u + self.s) if self.u + self.s else 0.0


@cache
def published_results() -> tuple[PublishedResult, ...]:
    """Read the table that comes with the package.

    Raises:
        DataError: If a row is malformed or names an unknown source, remark, family or kind of features.
    """
    text = files("zslearn.report").joinpath("published.csv").read_text(encoding="utf-8")
    return tuple(_result(number, row) for number, row in enumerate(csv.DictReader(text.splitlines()), start=2))


def published_on(data: str) -> tuple[PublishedResult, ...]:
    """Return the rows that belong to a data set as records name it, by year.

    Letter case does not matter. What follows a hyphen says which generation or semantics: ``AWA2-v1`` has the rows of
    AWA2, and ``CUB-sent`` those of CUB with sentences; ``CUB`` alone leaves these out.

    Args:
        data: The data set's name.
    """
    base, _, variant = data.casefold().partition("-")
    rows = [row for row in published_results() if row.data.casefold() == base]
    if {row.semantics for row in rows} >= {"attributes", "sentences"}:
        wanted = "sentences" if variant.startswith("sent") else "attributes"
        rows = [row for row in rows if row.semantics in (wanted, "unstated")]
    return tuple(rows)


def data_with_results() -> dict[str, int]:
    """Return the data sets of the table and how many rows each has."""
    counts: dict[str, int] = {}
    for row in published_results():
        counts[row.data] = counts.get(row.data, 0) + 1
    return counts


def same_method(published: str, ours: str) -> bool:
    """Whether a published name and a name of the zoo mean one method: only letters and digits count.

    Example:
        >>> same_method("f-CLSWGAN", "f-clswgan"), same_method("CADA-VAE", "cadavae"), same_method("SAE", "SJE")
        (True, True, False)
    """
    return _letters(published) == _letters(ours)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _result(line: int, row: Mapping[str, str]) -> PublishedResult:
    try:
        result = PublishedResult(
            method=row["method"],
            year=row["year"],
            family=row["family"],
            data=row["data"],
            semantics=row["semantics"],
            features=row["features"],
            t1=_percent(row["t1"]),
            u=_percent(row["u"]),
            s=_percent(row["s"]),
            h=_percent(row["h"]),
            source=row["source"],
            remarks=tuple(row["remarks"].split()),
        )
    except (KeyError, AttributeError, ValueError) as error:
        raise DataError(
            f"line {line} of published.csv is malformed", received=str(error), remedy="Repair the line."
        ) from error
    words = {
        "source": (result.source, SOURCES),
        "kind of features": (result.features, FEATURES),
        "family": (result.family, _FAMILIES),
        "kind of semantics": (result.semantics, _SEMANTICS),
    }
    for kind, (word, known) in words.items():
        if word not in known:
            raise unknown_name(kind, word, known)
    for remark in result.remarks:
        if remark not in REMARKS:
            raise unknown_name("remark", remark, REMARKS)
    return result


def _percent(text: str) -> float | None:
    if not text:
        return None
    value = float(text)
    if not 0 <= value <= 100:
        raise ValueError(f"{text} is not a percentage")
    return value
