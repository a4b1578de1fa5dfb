"""Turn a folder of images into a data folder, with a pretrained image backbone.

Interrupted, the same command goes on where it stopped. Images that cannot be read are skipped and listed.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from zslearn.cli.arguments import add_json_argument

NAME = "extract"
EXAMPLE = "zslearn extract photos --backbone facebook/dinov2-small -o my-data"
_SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``zslearn extract``."""
    parser.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="a folder or zip archive; with one folder per class, labels come of it",
    )
    parser.add_argument(
        "--backbone",
        required=True,
        metavar="FOLDER|HUB_NAME",
        help="any image model that transformers can load: a folder, looked for first, or a name on the hub",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DATA", help="the data folder to write")
    parser.add_argument("--labels", type=Path, metavar="FILE.csv", help="labels as a table: file, label, optional part")
    parser.add_argument(
        "--pooling",
        default="auto",
        choices=("auto", "class", "mean", "pooler"),
        help="how a feature vector is made of the backbone's output (default: auto)",
    )
    parser.add_argument("--half", action="store_true", help="compute and store with 16 bits")
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="images at once (default: 32)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda", help="where to compute (default: auto)")
    add_json_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Execute ``zslearn extract``."""
    from zslearn.cli.progress import CountProgress
    from zslearn.data.extraction import ImageSource, check_free, extract_features, list_images
    from zslearn.data.images import ImageEncoder
    from zslearn.errors import ConfigError, listed, printable

    if arguments.batch_size < 1:
        raise ConfigError(
            "there is nothing to encode",
            expected="--batch-size of at least 1",
            received=str(arguments.batch_size),
            remedy="Leave it out for 32.",
        )
    # A folder that is not free, or a mistake in the table, is named before a backbone is loaded, which takes seconds.
    check_free(arguments.output)
    source = ImageSource(arguments.images)
    images = list_images(source, arguments.labels)
    taken = {image.name for image in images}
    others = [name for name in source.others if name not in taken]
    if others:
        what = "file does not end as images do" if len(others) == 1 else "files do not end as images do"
        print(f"note: {len(others):,} {what}: {printable(listed(others))}", file=sys.stderr)
    if source.links:
        what = "link to a folder is" if len(source.links) == 1 else "links to folders are"
        print(f"note: {len(source.links):,} {what} not followed: {printable(listed(source.links))}", file=sys.stderr)
    labels = sorted({image.label for image in images} - {""})
    what = "label" if len(labels) == 1 else "labels"
    print(f"note: {len(labels):,} {what}: {printable(listed(labels) or 'none')}", file=sys.stderr)
    encoder = ImageEncoder(arguments.backbone, pooling=arguments.pooling, half=arguments.half, device=arguments.device)
    try:
        with CountProgress("images", len(images)) as progress:
            done = extract_features(
                encoder, source, images, arguments.output, batch_size=arguments.batch_size, on_progress=progress.update
            )
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt("what is done is kept; the same command goes on.") from interrupt
    if arguments.json:
        print(json.dumps(done.as_dict(), indent=2))
        return 0
    for name, reason in done.skipped[:_SHOWN]:
        print(f"skipped {name}: {reason}", file=sys.stderr)
    print(f"{done.n_images:,} images with {done.n_labels:,} labels: {done.folder} ({done.feature_dim:,} features each)")
    if done.skipped:
        print(f"{len(done.skipped):,} images could not be read: {done.folder / 'skipped.csv'} lists them")
    return 0
