"""``python -m zslearn`` is ``zslearn``."""

from __future__ import annotations

import io
import sys

INTERRUPTED = 130


def start() -> int:
    """Run the command line; an interrupt while it is still being imported ends it without a traceback."""
    _let_all_letters_out()
    try:
        from zslearn.cli import main
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return INTERRUPTED
    return main()


def _let_all_letters_out() -> None:
    """Write UTF-8 to files and pipes, whatever the locale is, and codes for what a terminal cannot show."""
    for stream in (sys.stdout, sys.stderr):
        # A stream may be missing, or belong to an embedding program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")


if __name__ == "__main__":
    raise SystemExit(start())
