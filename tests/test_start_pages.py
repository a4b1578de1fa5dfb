"""The start, the questions and the page on the protocol do what they say, with small trainings."""

import re

import numpy as np
import pytest

import zslearn
from pages import Page, follow
from toy import toy_dataset as make_toy_dataset
from zslearn.data.conversion import write_own
from zslearn.data.glyph_semantics import CHARACTERS
from zslearn.data.splits import MIN_REHEARSAL_CLASSES

pytestmark = pytest.mark.docs

START, QUESTIONS, PROTOCOL = Page("docs/start.md"), Page("docs/faq.md"), Page("docs/protocol.md")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_start_ends_in_a_picture_and_an_answer_for_a_class_added_by_hand(workplace, capsys):
    scope = follow(START)
    assert (workplace / "first-run" / "drawn.png").stat().st_size
    assert (workplace / "pi.png").stat().st_size
    assert scope["model"].added_classes_.tolist() == ["pi"]
    answers = capsys.readouterr().out.splitlines()[-3:]
    assert [line.split(",")[:2] for line in answers] == [["0", "1"], ["0", "2"], ["0", "3"]]
    assert {line.split(",")[2] for line in answers} <= {*CHARACTERS, "pi"}


def test_the_start_speaks_of_the_data_as_they_are():
    data = zslearn.load_data("glyphs").training()
    (unseen,) = re.findall(r"training: ([A-Z0-9 ]+)\.", START.text)
    assert unseen.split() == [data.class_names[i] for i in data.unseen_ids]
    assert f"{len(data.seen_ids)} built-in letters" in START.text
    assert f"{data.semantics.shape[1]} numbers for each" in START.text


def test_the_answers_to_questions_run(workplace, capsys):
    dataset = make_toy_dataset()
    write_own(dataset, workplace / "my-data")
    np.save(workplace / "rows.npy", dataset.test().features[:5])
    follow(QUESTIONS)
    assert "f-clswgan" in capsys.readouterr().out


def test_the_protocol_page_says_what_its_code_prints(workplace, capsys):
    follow(PROTOCOL)
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Metrics(")]
    assert ["h=0.0," in line for line in printed] == [True, False]
    assert "h=1.0," in printed[1]
    assert f"fewer than {MIN_REHEARSAL_CLASSES} seen classes" in PROTOCOL.text
