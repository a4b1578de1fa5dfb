"""``python -m zslearn`` is ``zslearn``."""

from __future__ import annotations

import sys

INTERRUPTED = 130


def start() -> int:
    """Run the command line; an interrupt while it is still being imported ends it without a traceback."""
    try:
        from zslearn.cli import main
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return INTERRUPTED
    return main()


if __name__ == "__main__":
    raise SystemExit(start())
