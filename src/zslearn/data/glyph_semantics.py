"""What each capital letter and digit looks like, in words and by hand: the semantics of the glyphs data set.

Two tables describe the printed shape of every character. `SEGMENT_CODES` lists which bars of a
sixteen-segment display light up to show it; where displays differ, it is the variant nearest to the
printed character, so that O, D and 0 share a code, and so do B and 8, S and 5, I and 1. `STROKE_VALUES`
tells those apart, and says what straight bars cannot: roundness, width, points, symmetry.
Both were written by looking at type in general, never at what a model makes of them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from zslearn.shapes import Semantics

SEGMENTS: Final[dict[str, str]] = {
    "a1": "top left bar",
    "a2": "top right bar",
    "b": "upper right post",
    "c": "lower right post",
    "d1": "bottom left bar",
    "d2": "bottom right bar",
    "e": "lower left post",
    "f": "upper left post",
    "g1": "middle left bar",
    "g2": "middle right bar",
    "h": "upper left diagonal",
    "i": "upper centre post",
    "j": "upper right diagonal",
    "k": "lower right diagonal",
    "l": "lower centre post",
    "m": "lower left diagonal",
}
"""The bars of a sixteen-segment display: short name to attribute name; diagonals join centre and corner."""

SEGMENT_CODES: Final[dict[str, str]] = {
    "A": "a1 a2 b c e f g1 g2",
    "B": "a1 a2 b c d1 d2 e f g1 g2",
    "C": "a1 a2 d1 d2 e f",
    "D": "a1 a2 b c d1 d2 e f",
    "E": "a1 a2 d1 d2 e f g1 g2",
    "F": "a1 a2 e f g1 g2",
    "G": "a1 a2 c d1 d2 e f g2",
    "H": "b c e f g1 g2",
    "I": "i l",
    "J": "b c d1 d2 e",
    "K": "e f g1 j k",
    "L": "d1 d2 e f",
    "M": "b c e f h j",
    "N": "b c e f h k",
    "O": "a1 a2 b c d1 d2 e f",
    "P": "a1 a2 b e f g1 g2",
    "Q": "a1 a2 b c d1 d2 e f k",
    "R": "a1 a2 b e f g1 g2 k",
    "S": "a1 a2 c d1 d2 f g1 g2",
    "T": "a1 a2 i l",
    "U": "b c d1 d2 e f",
    "V": "e f j m",
    "W": "b c e f k m",
    "X": "h j k m",
    "Y": "h j l",
    "Z": "a1 a2 d1 d2 j m",
    "0": "a1 a2 b c d1 d2 e f",
    "1": "i l",
    "2": "a1 a2 b d1 d2 e g1 g2",
    "3": "a1 a2 b c d1 d2 g2",
    "4": "b c f g1 g2",
    "5": "a1 a2 c d1 d2 f g1 g2",
    "6": "a1 a2 c d1 d2 e f g1 g2",
    "7": "a1 a2 j m",
    "8": "a1 a2 b c d1 d2 e f g1 g2",
    "9": "a1 a2 b c d1 d2 f g1 g2",
}
"""The lit bars of every character; characters that share a code differ in `STROKE_VALUES`."""

STROKES: Final[dict[str, tuple[str, int]]] = {
    "wid": ("width", 10),
    "hol": ("holes", 2),
    "rT": ("round top", 2),
    "rB": ("round bottom", 2),
    "rL": ("round left side", 2),
    "rR": ("round right side", 2),
    "sL": ("straight left stem", 2),
    "sR": ("straight right stem", 2),
    "\\": ("falling diagonal", 2),
    "/": ("rising diagonal", 2),
    "pT": ("pointed top", 2),
    "pB": ("pointed bottom", 2),
    "mir": ("mirrored left to right", 2),
    "flp": ("mirrored top to bottom", 2),
    "oL": ("open to the left", 2),
    "oR": ("open to the right", 2),
    "eT": ("stroke ends at the top", 2),
    "eB": ("stroke ends at the bottom", 2),
}
"""Stroke attributes: column of `STROKE_VALUES` to attribute name and the whole number that stands for 1."""

STROKE_VALUES: Final[str] = r"""
   wid hol rT rB rL rR sL sR  \  / pT pB mir flp oL oR eT eB
A    8   1  0  0  0  0  0  0  2  2  2  0   2   0  0  0  0  2
B    7   2  0  0  0  2  2  0  0  0  0  0   0   2  0  0  0  0
C    7   0  2  2  2  0  0  0  0  0  0  0   0   2  0  2  0  0
D    8   1  0  0  0  2  2  0  0  0  0  0   0   2  0  0  0  0
E    6   0  0  0  0  0  2  0  0  0  0  0   0   2  0  2  0  0
F    6   0  0  0  0  0  2  0  0  0  0  0   0   0  0  2  0  1
G    8   0  2  2  2  0  0  1  0  0  0  0   0   1  0  1  0  0
H    8   0  0  0  0  0  2  2  0  0  0  0   2   2  0  0  2  2
I    2   0  0  0  0  0  1  1  0  0  0  0   2   2  0  0  1  1
J    4   0  0  2  0  0  0  2  0  0  0  0   0   0  2  0  1  0
K    8   0  0  0  0  0  2  0  2  2  0  0   0   2  0  2  2  2
L    6   0  0  0  0  0  2  0  0  0  0  0   0   0  0  2  1  0
M   10   0  0  0  0  0  2  2  2  2  1  1   2   0  0  0  2  2
N    8   0  0  0  0  0  2  2  2  0  1  1   0   0  0  0  2  1
O    9   1  2  2  2  2  0  0  0  0  0  0   2   2  0  0  0  0
P    6   1  0  0  0  2  2  0  0  0  0  0   0   0  0  1  0  1
Q    9   1  2  2  2  2  0  0  1  0  0  0   1   1  0  0  0  1
R    8   1  0  0  0  1  2  0  2  0  0  0   0   0  0  0  0  2
S    6   0  2  2  1  1  0  0  1  0  0  0   0   1  1  1  0  0
T    7   0  0  0  0  0  0  0  0  0  0  0   2   0  1  1  0  1
U    8   0  0  2  0  0  2  2  0  0  0  0   2   0  0  0  2  0
V    8   0  0  0  0  0  0  0  2  2  0  2   2   0  0  0  2  0
W   10   0  0  0  0  0  0  0  2  2  1  2   2   0  0  0  2  0
X    8   0  0  0  0  0  0  0  2  2  0  0   2   2  1  1  2  2
Y    8   0  0  0  0  0  0  0  1  1  0  0   2   0  0  0  2  1
Z    7   0  0  0  0  0  0  0  0  2  0  0   0   1  1  1  0  0
0    6   1  2  2  1  1  0  0  0  0  0  0   2   2  0  0  0  0
1    4   0  0  0  0  0  0  1  0  1  1  0   1   0  1  0  0  1
2    6   0  2  0  0  1  0  0  0  2  0  0   0   0  2  1  0  0
3    6   0  2  2  0  2  0  0  0  0  0  0   0   2  2  0  0  0
4    6   1  0  0  0  0  0  2  0  2  1  0   0   0  0  0  0  1
5    6   0  0  2  0  2  1  0  0  0  0  0   0   0  2  1  0  0
6    6   1  2  2  2  2  0  0  0  1  0  0   0   0  0  1  0  0
7    6   0  0  0  0  0  0  0  0  2  0  0   0   0  2  0  0  1
8    6   2  2  2  2  2  0  0  0  0  0  0   2   2  0  0  0  0
9    6   1  2  2  2  2  0  0  0  1  0  0   0   0  1  0  0  0
"""
"""One row per character in whole numbers; `STROKES` gives the number that stands for 1 in each column."""

CHARACTERS: Final[tuple[str, ...]] = tuple(SEGMENT_CODES)
"""The 36 classes, in the order of their ids: A to Z, then 0 to 9."""

ATTRIBUTES: Final[tuple[str, ...]] = (*SEGMENTS.values(), *(name for name, _ in STROKES.values()))
"""The attribute that each column of the semantics stands for: sixteen segments, then eighteen strokes."""


def glyph_semantics() -> Semantics:
    """Turn the two tables into numbers.

    Returns:
        One row per member of `CHARACTERS`, one column per member of `ATTRIBUTES`, in [0, 1].
    """
    return np.hstack([_segment_rows(), _stroke_rows()])


def _segment_rows() -> Semantics:
    lit = [set(code.split()) for code in SEGMENT_CODES.values()]
    return np.array([[segment in bars for segment in SEGMENTS] for bars in lit], dtype=np.float64)


def _stroke_rows() -> Semantics:
    lines = STROKE_VALUES.split("\n")
    rows = {fields[0]: fields[1:] for fields in map(str.split, lines[2:]) if fields}
    full = np.array([most for _, most in STROKES.values()], dtype=np.float64)
    return np.array([rows[character] for character in CHARACTERS], dtype=np.float64) / full
