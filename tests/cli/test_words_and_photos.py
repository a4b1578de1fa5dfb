"""A model that learnt from photographs and sentences is asked with photographs and taught with sentences."""

import csv
import io
import json
import shutil

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.data.dataset import TrainingView
from zslearn.data.images import ImageEncoder
from zslearn.data.own import class_table
from zslearn.data.text import TextEncoder, describe_classes

images = pytest.importorskip("PIL.Image", reason="needs the extra encoders")
pytest.importorskip("transformers", reason="needs the extra encoders")

SENTENCES = {
    "rose": "a red flower with petals",
    "iris": "a blue flower",
    "zebra": "an animal with stripes",
    "shark": "an animal with fins",
}


def photo(path, number):
    rng = np.random.default_rng(number)
    images.fromarray(rng.integers(0, 256, size=(20, 20, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def saved(encoders, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    rows = "".join(f"{name},{sentence}\n" for name, sentence in SENTENCES.items())
    (folder / "classes.csv").write_text(f"name,text\n{rows}")
    semantics = describe_classes(TextEncoder(encoders[1]), class_table(folder / "classes.csv"))
    backbone = ImageEncoder(encoders[0])
    view = TrainingView(
        name="photographs",
        features=backbone.encode([photo(folder / f"{number}.png", number) for number in range(12)]),
        labels=np.repeat(np.arange(3), 4),
        semantics=semantics.vectors,
        class_names=semantics.names,
        seen_ids=np.arange(3),
        unseen_ids=np.array([3]),
        backbone=backbone.facts(),
        text_encoder=semantics.encoder,
    )
    settings = {"n_updates": 2, "teacher_updates": 2}
    GenerativeZSL(settings=settings, rehearse=False).fit_view(view).save(folder / "model")
    return folder / "model"


@pytest.fixture
def model(saved, tmp_path):
    """A model folder of one's own."""
    return shutil.copytree(saved, tmp_path / "own")


def test_photographs_become_data_and_what_is_left_out_is_said(command, encoders, tmp_path):
    for number, label in enumerate(("iris", "rose")):
        (tmp_path / "photos" / label).mkdir(parents=True)
        photo(tmp_path / "photos" / label / "1.png", number)
    for name in ("empty.jpg", "phone.heic", "notes.txt"):
        (tmp_path / "photos" / "rose" / name).write_bytes(b"")
    (tmp_path / "photos" / "tulip").symlink_to(tmp_path / "photos" / "rose")
    answer = command("extract", tmp_path / "photos", "--backbone", encoders[0], "-o", tmp_path / "data")
    assert answer.code == 0, answer.err
    assert answer.out.startswith(f"2 images with 2 labels: {tmp_path / 'data'}")
    assert "note: 2 files do not end as images do: rose/notes.txt, rose/phone.heic\n" in answer.err
    assert "note: 1 link to a folder is not followed: tulip\n" in answer.err
    assert "note: 2 labels: iris, rose\n" in answer.err
    assert "skipped rose/empty.jpg: cannot be read as an image (" in answer.err
    checked = command("data", "check", tmp_path / "data")
    assert checked.code == 2
    # Lines are folded where the terminal's width falls.
    assert f"errorthereisnoclasses.csvin{tmp_path / 'data'}" in "".join(checked.out.split())
    (tmp_path / "classes.csv").write_text("name\nrose\niris\nzebra\n")
    described = command("describe", tmp_path / "classes.csv", "--encoder", encoders[1], "-o", tmp_path / "data")
    assert described.code == 0, described.err
    assert "error" not in command("data", "check", tmp_path / "data").out


def test_what_is_in_the_way_is_said_before_the_backbone_is_loaded(command, tmp_path):
    (tmp_path / "rose").mkdir()
    photo(tmp_path / "rose" / "1.png", 1)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "features.npy").touch()
    answer = command("extract", tmp_path, "--backbone", tmp_path / "none", "-o", tmp_path / "data")
    assert answer.code == 2
    assert "has features already" in answer.err


def test_photographs_are_named(command, model, encoders, tmp_path):
    paths = [photo(tmp_path / f"p{number}.png", number) for number in (3, 40)]
    answer = command("predict", model, *paths)
    assert answer.code == 0, answer.err
    lines = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(lines[0]) == ["file", "row", "label", "score", "seen"]
    assert [line["file"] for line in lines] == [str(path) for path in paths]
    features = ImageEncoder(encoders[0]).encode(paths)
    assert [line["label"] for line in lines] == GenerativeZSL.load(model).predict(features).tolist()


def test_a_photograph_that_cannot_be_read_spoils_no_answer(command, model, tmp_path):
    paths = [photo(tmp_path / f"p{number}.png", number) for number in (3, 40)]
    expected = command("predict", model, *paths).out
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no image")
    answer = command("predict", model, paths[0], broken, paths[1])
    assert (answer.code, answer.out) == (1, expected)
    assert answer.err.startswith(f"skipped: {broken} cannot be read as an image (")
    assert answer.err.count("\n") == 1
    answer = command("predict", model, broken, "-o", tmp_path / "answers.csv")
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("error: none of the photographs can be read (")
    assert not (tmp_path / "answers.csv").exists()


def test_a_backbone_that_has_moved_can_be_named(command, model, encoders, tmp_path):
    facts = json.loads((model / "model.json").read_text())
    facts["backbone"]["name"] = str(tmp_path / "gone")
    (model / "model.json").write_text(json.dumps(facts))
    path = photo(tmp_path / "p.png", 1)
    assert command("predict", model, path).code == 2
    assert command("predict", model, path, "--backbone", encoders[0]).code == 0


def test_a_class_is_added_by_a_sentence(command, model, encoders, tmp_path):
    (tmp_path / "new.csv").write_text("name,text\nwhale,an animal with fins\n")
    answer = command("classes", model, "add", "tulip=a red flower, with petals", "--from", tmp_path / "new.csv")
    assert answer.code == 0, answer.err
    estimator = GenerativeZSL.load(model)
    assert estimator.added_classes_.tolist() == ["whale", "tulip"]
    alike = estimator.semantics_[estimator.classes_.tolist().index("shark")]
    np.testing.assert_allclose(estimator.semantics_[-2], alike, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(estimator.semantics_[-1]), 1.0, atol=1e-6)


def test_names_alone_are_described_by_themselves(command, model, tmp_path):
    (tmp_path / "new.csv").write_text("name\nflower\n")
    assert command("classes", model, "add", "--from", tmp_path / "new.csv").code == 0
    assert GenerativeZSL.load(model).added_classes_.tolist() == ["flower"]


def test_another_table_does_not_replace_that_of_its_folder(command, tmp_path):
    (tmp_path / "classes.csv").write_text("name,stripes\nzebra,1\n")
    (tmp_path / "sentences.csv").write_text("name,text\nzebra,an animal with stripes\n")
    answer = command("describe", tmp_path / "sentences.csv", "--encoder", tmp_path / "none")
    assert answer.code == 2
    assert f"{tmp_path} has another table of classes" in answer.err
    assert (tmp_path / "classes.csv").read_text() == "name,stripes\nzebra,1\n"
