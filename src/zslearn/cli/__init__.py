"""The command line: one module per command, each importing what it needs only when it runs.

Results go to standard output, progress and errors to standard error. Exit codes: 0 done, 1 failed, 2 wrong use,
130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from zslearn import __version__
from zslearn.cli import (
    ablate,
    app,
    benchmark,
    classes,
    data,
    describe,
    evaluate,
    export,
    extract,
    predict,
    pull,
    push,
    report,
    run,
    show,
    sweep,
    synthesize,
)
from zslearn.cli.completion import SHELLS
from zslearn.errors import TrainingError, ZslearnError, is_out_of_memory, printable

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_COMMANDS = (
    run,
    evaluate,
    predict,
    classes,
    extract,
    describe,
    data,
    synthesize,
    app,
    export,
    push,
    pull,
    show,
    benchmark,
    ablate,
    sweep,
    report,
)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line and name the nearest known word."""

    def error(self, message: str) -> NoReturn:
        known = list(dict.fromkeys(_known_words(self)))
        wrong = re.findall(r"(?:unrecognized arguments: |invalid choice: ')([^\s']+)", message)
        nearest = difflib.get_close_matches(wrong[0], known, n=2) if wrong else []
        hint = f" Did you mean {' or '.join(nearest)}?" if nearest else f" See {self.prog} --help."
        self.exit(WRONG_USE, f"error: {printable(message.rstrip('.'))}.{hint}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after ``zslearn``; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        return _answer(argv)
    finally:
        _give_up_what_nobody_takes()


def _answer(argv: Sequence[str] | None) -> int:
    """Run one command, and tell in a line why it did not come to its end."""
    try:
        code = _parse_and_run(argv)
        # What cannot be written shows here, and not when Python ends.
        sys.stdout.flush()
        return code
    except ZslearnError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED if isinstance(error, TrainingError) else WRONG_USE
    except KeyboardInterrupt as interrupt:
        print(f"interrupted: {interrupt}" if str(interrupt) else "interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has left.
        return DONE
    except OSError as error:
        what = f"{error.strerror or error}: {error.filename or ''}".rstrip(": ")
        print(
            f"error: {printable(what)}. Check that it is there, that you may use it, and that there is space.",
            file=sys.stderr,
        )
        return FAILED
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        print("error: there is not enough memory for this. Ask for fewer samples or smaller networks.", file=sys.stderr)
        return FAILED


def _give_up_what_nobody_takes() -> None:
    """Drop output that cannot be written: Python would try once more while it ends, and complain with code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _parse_and_run(argv: Sequence[str] | None) -> int:
    try:
        arguments = build_parser().parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else WRONG_USE
    arguments.words = list(sys.argv[1:] if argv is None else argv)
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Run a command; a quiet one says nothing on standard error but what its end is."""
    if not arguments.quiet:
        code: int = arguments.command(arguments)
        return code
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        return _run(argparse.Namespace(**{**vars(arguments), "quiet": False}))


class _PrintCompletion(argparse.Action):
    """Prints the completion script of a shell and ends."""

    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any) -> NoReturn:
        from zslearn.cli.completion import completion_script

        print(completion_script(parser, arguments[1]), end="")
        parser.exit(DONE)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = _Parser(
        prog="zslearn",
        description="Recognise classes that nobody has given an example of.",
        epilog="Start with: zslearn run",
    )
    parser.add_argument("--version", action="version", version=f"zslearn {__version__}")
    parser.add_argument(
        "--print-completion", action=_PrintCompletion, choices=SHELLS, help="print the completion script of a shell"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for module in _COMMANDS:
        command = commands.add_parser(
            module.NAME,
            help=module.__doc__.splitlines()[0].rstrip(".") if module.__doc__ else None,
            description=module.__doc__,
            epilog=f"Example: {module.EXAMPLE}",
            allow_abbrev=False,
        )
        module.add_arguments(command)
        for leaf in leaves(command):
            leaf.add_argument("-q", "--quiet", action="store_true", help="no progress and no notes on standard error")
        command.set_defaults(command=module.run)
    return parser


def leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers below a parser that take no further command; itself where it takes none."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for each in action.choices.values():
            yield from leaves(each)


def _known_words(parser: argparse.ArgumentParser) -> list[str]:
    """The options, choices and commands of a parser and of all parsers below it."""
    words = list(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                words += [name, *_known_words(below)]
        elif action.choices is not None:
            words += map(str, action.choices)
    return words
