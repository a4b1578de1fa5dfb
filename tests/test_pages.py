"""What holds for every page: its links lead somewhere, what it shows is run, its commands are commands."""

import contextlib
import io
import os
import re
import shlex
import unicodedata

import pytest

from pages import ROOT, Page, pages
from zslearn.cli import build_parser, leaves

PAGES = pages()
RUNNABLE = {"sh", "python", "yaml", "csv"}
SHOWN = {"text", "math"}
"""Languages of what is looked at, not run."""
SITE_ONLY = re.compile(r"\{[a-z-]+\}")
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page):
    """The anchors that GitHub and the site give to the headings of a page."""
    headings = re.findall(r"^#+ +(.+)$", re.sub(r"^```.*?^```", "", page.text, flags=re.DOTALL | re.MULTILINE), re.M)
    plain = [unicodedata.normalize("NFKC", re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading)).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@every_page
def test_links_lead_to_files_and_headings(page):
    prose = re.sub(r"^```.*?^```", "", page.text, flags=re.DOTALL | re.MULTILINE)
    for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose)):
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = page.path.parent / target if target else page.path
        assert path.exists(), link
        if anchor:
            name = os.path.relpath(path.resolve(), ROOT)
            assert anchor in anchors(Page(name)), link


@every_page
def test_every_block_says_what_it_is(page):
    languages = {language for language, _ in page.fences}
    unknown = {name for name in languages - RUNNABLE - SHOWN if not SITE_ONLY.fullmatch(name)}
    assert not unknown, "mark what is run as sh or python, and what is only shown as text"
    for language, text in page.fences:
        if language in SHOWN:
            assert not re.search(r"^(zslearn|make|pip) |^import ", text, flags=re.MULTILINE), text


def test_every_page_that_shows_commands_or_code_is_run_by_a_test():
    shows = {page.name for page in PAGES if page.commands or page.blocks("python")}
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    assert shows - set(re.findall(r'Page\("([^"]+)"\)', tests)) == set()


@pytest.fixture(scope="module")
def known():
    """The words of every command, and the options that it takes."""
    return {tuple(leaf.prog.split()[1:]): {*leaf._option_string_actions} for leaf in leaves(build_parser())}


def parsed(words):
    """Whether the command line takes the words."""
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            build_parser().parse_args(words)
        except SystemExit:
            return False
    return True


@every_page
def test_every_command_is_one_that_the_command_line_takes(page):
    for words in page.commands:
        assert parsed(words), words


@every_page
def test_commands_within_lines_name_commands_and_options_that_exist(page, known):
    prose = re.sub(r"^```.*?^```", "", page.text, flags=re.DOTALL | re.MULTILINE)
    for line in re.findall(r"`zslearn ([^`]+)`", prose):
        words = shlex.split(line.split("|")[0].replace("\n", " ")) if line.count("'") % 2 == 0 else line.split()
        if words[0].startswith("-") or words[0] == "COMMAND":
            continue
        command = next((name for name in known if tuple(words[: len(name)]) == name), None)
        below = [name for name in known if name[0] == words[0]]
        assert command or below, line
        options = set().union(*(known[name] for name in ([command] if command else below)))
        assert {word for word in words if re.match(r"--?[a-z]", word)} <= options, line
