"""The examples run, and print what their pages say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zslearn
from pages import ROOT

PROGRAMS = sorted(path for path in (ROOT / "examples").rglob("*.py") if path.name != "make_data.py")


def run(name):
    """Run an example in its folder and return what it prints."""
    (program,) = (path for path in PROGRAMS if path.stem == name)
    paths = [str(Path(zslearn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, program.name],
        cwd=program.parent,
        env={**os.environ, "MPLBACKEND": "agg", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_has_a_page_with_a_figure_and_looks_at_no_official_test_view():
    for program in PROGRAMS:
        text = program.read_text(encoding="utf-8")
        assert re.match(r'"""\n.+\n=+\n\n', text), program.name
        assert "plt.subplots(" in text, program.name
        assert text.endswith("\nplt.show()\n"), program.name
        assert all("split=" in call for call in re.findall(r'load_data\("[^)]*\)', text)), program.name
        assert program.with_name("GALLERY_HEADER.txt").is_file()


@pytest.mark.docs
def test_letters_are_drawn():
    assert "28 classes; 8 classes without any" in run("draw_unseen_letters")


@pytest.mark.docs
def test_the_rehearsed_offset_raises_h():
    for name in ("eszsl", "kernel-ridge-cosine"):
        plain, corrected = re.findall(rf"^{name} .*H ([\d.]+)$", run("follow_the_curve"), flags=re.MULTILINE)
        assert float(corrected) > float(plain)


@pytest.mark.docs
def test_the_correction_brings_unseen_letters_back():
    plain, corrected = map(int, re.findall(r"(\d+)% of the pictures", run("see_the_label_shift")))
    assert corrected < plain - 20


@pytest.mark.docs
def test_unheard_faults_are_named():
    (right,) = re.findall(r"(\d+)% of 160 recordings", run("recognise_unheard_faults"))
    assert int(right) > 80


@pytest.mark.docs
def test_descriptions_are_compared():
    assert run("compare_descriptions").startswith("Pink primrose: ")
