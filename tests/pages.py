"""The documentation as its tests read it: whatever a page shows is run, with the page's own words."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zslearn.cli import main
from zslearn.configuration import field_facts
from zslearn.models import model_entry

ROOT = Path(__file__).parents[1]
TINY = {"n_updates": 5, "teacher_updates": 5, "classifier_epochs": 1}
"""What the trainings of pages are cut down to."""
FENCE = re.compile(r"^```([a-z{}-]*)[^\n]*\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """A page, by its path from the root of the repository; the test that names it runs its commands and code."""

    name: str

    @property
    def path(self) -> Path:
        return ROOT / self.name

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def fences(self) -> list[tuple[str, str]]:
        """Language and text of every fenced block."""
        return FENCE.findall(self.text)

    def blocks(self, language: str) -> list[str]:
        return [text for marked, text in self.fences if marked == language]

    @property
    def lines(self) -> list[str]:
        """Every line of its commands, without remarks."""
        return [line for text in self.blocks("sh") for line in lines_of(text)]

    @property
    def commands(self) -> list[list[str]]:
        """The words of every line that calls zslearn, without its name."""
        return [words for text in self.blocks("sh") for words in commands_of(text)]


def lines_of(text: str) -> list[str]:
    lines = [line.partition(" #")[0].strip() for line in text.splitlines()]
    return [line for line in lines if line]


def commands_of(text: str) -> list[list[str]]:
    return [words[1:] for words in map(shlex.split, lines_of(text)) if words[0] == "zslearn"]


def shortened(words: list[str], budget: dict[str, int] = TINY) -> list[str]:
    """Return a command with as little training as the model has settings for; other commands as they are."""
    if words[0] != "run":
        return words
    model = words[words.index("--model") + 1] if "--model" in words else "skd"
    known = field_facts(model_entry(model).load().Config)
    settings = [f"{name}={value}" for name, value in budget.items() if name in known]
    return [*words, "--set", *settings] if settings else words


def follow(page: Page) -> dict[str, Any]:
    """Run the commands and the code of a page in its order and in the folder where we are.

    Returns:
        The names that its code has left.
    """
    scope: dict[str, Any] = {}
    for language, text in page.fences:
        if language == "python":
            exec(text, scope)
        for words in commands_of(text) if language == "sh" else ():
            assert main(shortened(words)) == 0, words
    return scope


def pages() -> list[Page]:
    """All pages that people read, on the site or in the repository."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md"), *ROOT.glob("benchmarks/*.md")]
    return [Page(str(path.relative_to(ROOT))) for path in sorted(found)]
