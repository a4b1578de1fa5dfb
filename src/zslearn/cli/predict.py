"""Name the class of every row of feature files, of a stream of rows, or of photographs.

Each answer comes with its probability and with whether the class was seen in training.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zslearn.cli.arguments import add_run_argument
from zslearn.cli.rows import FORMATS, row_format, write_rows

if TYPE_CHECKING:
    from zslearn.estimator import GenerativeZSL
    from zslearn.shapes import Features

NAME = "predict"
EXAMPLE = "zslearn predict runs/glyphs-skd-s0 photos.npy --candidates unseen --top 3 -o answers.csv"
COLUMNS = ("row", "label", "score", "seen")
STANDARD_INPUT = "-"
_STREAMED_AT_ONCE = 256
_PHOTOS_AT_ONCE = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn predict``."""
    add_run_argument(parser)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help=".npy, .npz (key features), .mat (features), .parquet, .csv or .jsonl with a row of features per sample; "
        "photographs, where the run knows its backbone; - for rows from standard input (csv or JSON lines)",
    )
    parser.add_argument(
        "--candidates",
        default="all",
        choices=("all", "seen", "unseen"),
        help="the classes to choose among (default: all)",
    )
    parser.add_argument("--top", type=int, default=1, metavar="K", help="answers for each row (default: 1)")
    parser.add_argument("--uncorrected", action="store_true", help="leave out the label-shift correction")
    parser.add_argument(
        "--backbone",
        metavar="FOLDER|HUB_NAME",
        help="where the backbone for photographs is (default: where it was, on this machine)",
    )
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument(
        "--format", choices=FORMATS, help="what to write (default: what the ending of the output says, or csv)"
    )
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    parser.add_argument(
        "--batch",
        type=int,
        metavar="N",
        help=f"rows to read and answer at once (default: 8192, fewer with very many classes; "
        f"{_STREAMED_AT_ONCE} from standard input; {_PHOTOS_AT_ONCE} photographs)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn predict``."""
    from zslearn.errors import ConfigError

    for option, number in (("--top", arguments.top), ("--batch", arguments.batch)):
        if number is not None and number < 1:
            raise ConfigError(
                f"{option} is too small", expected="at least 1", received=str(number), remedy="Give a larger number."
            )
    kind = row_format(arguments.format, arguments.output)

    from zslearn.estimator import GenerativeZSL

    estimator = GenerativeZSL.load(arguments.run_folder)
    named = len(arguments.files) > 1 or _is_photo(arguments.files[0])
    columns = [
        *(["file"] if named else []),
        "row",
        *(["rank"] if arguments.top > 1 else []),
        *COLUMNS[1:],
    ]
    skipped: list[str] = []
    blocks = (
        [{name: answer[name] for name in columns} for answer in _answers(estimator, features, where, arguments)]
        for features, where in _blocks(estimator, arguments, skipped)
    )
    write_rows(blocks, columns, kind, arguments.output)
    return 1 if skipped else 0


def _blocks(
    estimator: GenerativeZSL, arguments: argparse.Namespace, skipped: list[str]
) -> Iterator[tuple[Features, Sequence[tuple[str, int]]]]:
    """Yield features, some at a time, with the file and the number in it of every row; bad photographs are skipped."""
    from zslearn.data.blocks import feature_blocks, text_blocks
    from zslearn.errors import DataError, listed
    from zslearn.recogniser.base import rows_at_once

    for photos, group in itertools.groupby(arguments.files, _is_photo):
        if photos:
            yield from _encoded(estimator, list(group), arguments, skipped)
            continue
        for name in group:
            if name == STANDARD_INPUT:
                source = text_blocks(_standard_input(), arguments.batch or _STREAMED_AT_ONCE, name="standard input")
            else:
                at_once = rows_at_once(len(estimator.classes_), estimator.n_features_in_)
                source = feature_blocks(Path(name), arguments.batch or at_once)
            start = 0
            for features in source:
                yield features, [(name, row) for row in range(start, start + len(features))]
                start += len(features)
    if len(skipped) == len(arguments.files):
        raise DataError(
            "none of the photographs can be read",
            expected="at least one readable photograph",
            received=listed(skipped),
            remedy="Check that the files are images.",
        )


def _encoded(
    estimator: GenerativeZSL, photos: Sequence[str], arguments: argparse.Namespace, skipped: list[str]
) -> Iterator[tuple[Features, Sequence[tuple[str, int]]]]:
    """Turn photographs into features with the backbone of the run's data; those that cannot be read are skipped."""
    from zslearn.data.images import ImageEncoder
    from zslearn.errors import DataError

    if estimator.backbone_ is None:
        raise DataError(
            f"{photos[0]} is a photograph, and this model does not know what turns photographs into its features",
            expected="a run on features that 'zslearn extract' has made",
            remedy="Make features of them as for the training, and give the file of features.",
        )
    encoder = ImageEncoder.restore(estimator.backbone_, backbone=arguments.backbone)
    size = arguments.batch or _PHOTOS_AT_ONCE
    for start in range(0, len(photos), size):
        prepared, where = [], []
        for name in photos[start : start + size]:
            try:
                prepared.append(encoder.prepare(name))
            except DataError as error:
                skipped.append(name)
                print(f"skipped: {error}", file=sys.stderr)
            else:
                where.append((name, 0))
        if where:
            yield encoder.encode_prepared(prepared), where


def _is_photo(name: str) -> bool:
    from zslearn.data.images import IMAGE_ENDINGS

    return Path(name).suffix.lower() in IMAGE_ENDINGS


def _standard_input() -> Iterator[str]:
    """Yield the lines of standard input as UTF-8, whatever the terminal's encoding is."""
    return (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(sys.stdin.buffer))


def _answers(
    estimator: GenerativeZSL, features: Features, where: Sequence[tuple[str, int]], arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield the best answers for each row; the score is the probability of the answered class."""
    names, shares = estimator.predict_top(
        features, arguments.top, arguments.candidates, corrected=not arguments.uncorrected
    )
    seen = set(estimator.seen_classes_.tolist())
    for (file, row), labels, scores in zip(where, names.tolist(), shares.tolist(), strict=True):
        for rank, (label, score) in enumerate(zip(labels, scores, strict=True), start=1):
            yield {
                "file": file,
                "row": row,
                "rank": rank,
                "label": label,
                "score": round(score, 6),
                "seen": label in seen,
            }
