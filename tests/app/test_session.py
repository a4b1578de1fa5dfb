"""The app without its page: looking, imagining, adding, recognising."""

import base64
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from letters import NEW
from toy import toy_dataset as make_toy_dataset
from zslearn import GenerativeZSL
from zslearn.app.samples import ROWS_OF_A_CLASS, RealSamples
from zslearn.app.session import N_DRAWN, N_NEAREST, N_PICTURES, N_REAL, N_TRIED, Session
from zslearn.app.uploads import MAX_ROWS, MAX_UPLOAD_BYTES
from zslearn.cli import main
from zslearn.errors import DataError, RunFolderError, UnknownNameError
from zslearn.runs import write_record
from zslearn.training.streams import derive_seed


def opened(png):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))))


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_the_overview_tells_classes_sliders_and_what_may_be_uploaded(session, glyphs):
    told = session.overview()
    assert [each["name"] for each in told["classes"]] == [name for name in glyphs.class_names if name != NEW]
    assert {each["name"] for each in told["classes"] if each["kind"] == "seen"} == {
        glyphs.class_names[i] for i in glyphs.seen_ids
    }
    assert opened(told["classes"][0]["picture"]).shape == glyphs.image_shape
    assert [slider["name"] for slider in told["sliders"]] == list(glyphs.attribute_names)
    assert all(slider["low"] < slider["high"] for slider in told["sliders"])
    assert told["ways"] == ["attributes", "blend"]
    assert told["uploads"]["images"]
    assert told["uploads"]["max_bytes"] == MAX_UPLOAD_BYTES


def test_looking_at_a_class_shows_its_sliders_what_is_imagined_and_real_samples(session, glyphs):
    told = session.look("B")
    assert told["values"] == pytest.approx(glyphs.semantics[glyphs.class_names.index("B")], rel=1e-5)
    assert len(told["pictures"]) == N_PICTURES
    assert len(told["real"]) == N_REAL
    assert len(told["nearest"]) == N_NEAREST
    similarities = [each["similarity"] for each in told["nearest"]]
    assert similarities == sorted(similarities, reverse=True)


def test_what_is_imagined_is_what_the_estimator_draws_and_calls(session, saved):
    estimator = GenerativeZSL.load(saved)
    told = session.look("B", seed=3)
    described = session.imagine({"blend": {"B": 2.0}}, seed=3)
    assert {**described, "values": told["values"], "real": told["real"]} == told
    assert session.look("B", seed=4)["mean"] != told["mean"]
    shares = [each["share"] for each in told["answers"]]
    assert shares == sorted(shares, reverse=True)
    semantics = estimator.semantics_[estimator.classes_.tolist().index("B")]
    drawn = estimator.recogniser_.synthesize(semantics[None], N_DRAWN, derive_seed(3, "imagine"))[0]
    mean = np.asarray(estimator.predict_proba(drawn)).mean(axis=0)
    assert told["answers"][0]["name"] == estimator.classes_[mean.argmax()]
    assert shares[0] == pytest.approx(mean.max(), abs=1e-4)
    assert opened(told["mean"]) == pytest.approx(255 * (1 - drawn.mean(axis=0).clip(0, 1).reshape(16, 16)), abs=9)


def test_an_attribute_changes_the_picture(session):
    sliders, told = session.overview()["sliders"], session.look("O")
    values = {slider["name"]: value for slider, value in zip(sliders, told["values"], strict=True)}
    same = session.imagine({"attributes": values})
    assert same["mean"] == told["mean"]
    changed = session.imagine({"attributes": {**values, "falling diagonal": 1.0, "lower right diagonal": 1.0}})
    assert changed["mean"] != told["mean"]


def test_a_blend_is_the_weighted_mean_of_semantics(session, saved):
    estimator = GenerativeZSL.load(saved)
    rows = dict(zip(estimator.classes_.tolist(), estimator.semantics_, strict=True))
    vector = session._describer.semantics({"blend": {"A": 3, "O": 1}})
    assert vector == pytest.approx(0.75 * rows["A"] + 0.25 * rows["O"])


def test_an_added_class_recognises_as_the_estimator_would(session, saved, glyphs, new_class, new_images):
    estimator = GenerativeZSL.load(saved)
    estimator.add_classes({NEW: np.array(list(new_class["attributes"].values()))})
    told = session.add(f"  {NEW} ", new_class)
    assert told["classes"][-1]["name"] == NEW
    assert told["classes"][-1]["kind"] == "added"
    answers = session.recognise("letters.npy", npy(new_images))
    counts = {each["name"]: each["count"] for each in answers["counts"]}
    expected = estimator.predict(new_images)
    assert counts == {name: int((expected == name).sum()) for name in np.unique(expected).tolist()}
    assert answers["counts"][0]["name"] == NEW
    assert answers["n_rows"] == len(new_images)
    assert len(answers["rows"]) == N_TRIED
    assert session.recognise_real(NEW)["n_rows"] == ROWS_OF_A_CLASS


def test_an_image_of_the_right_size_is_taken_as_it_is(session, png, new_images):
    grey = np.rint(new_images[0] * 255) / 255
    by_image = session.recognise("one.png", png(grey.reshape(16, 16)))
    by_row = session.recognise("one.npy", npy(grey[None].astype(np.float32)))
    assert by_image["rows"][0]["answers"] == by_row["rows"][0]["answers"]
    assert by_image["note"] == ""


def test_images_of_other_sizes_and_white_on_black_are_brought_to_size(session, png):
    ink = np.zeros((240, 320))
    ink[40:200, 150:170] = 1.0
    drawn = session.recognise("bar.png", png(ink))
    assert drawn["note"] == "bar.png was brought from 320 x 240 pixels to size."
    inverted = session.recognise("bar.png", png(1 - ink))
    assert inverted["rows"] == drawn["rows"]
    grey = opened(drawn["rows"][0]["picture"])
    assert grey.shape == (16, 16)
    dark = np.argwhere(grey < 128)
    assert dark[:, 0].max() - dark[:, 0].min() > 8
    assert set(dark[:, 1].tolist()) <= {7, 8}


def test_classes_come_and_go(session, new_class, saved):
    before = session.overview()
    session.add("horn", new_class)
    with pytest.raises(DataError, match="there is a class called 'horn' already"):
        session.add("horn", new_class)
    with pytest.raises(DataError, match="'HORN' differs from the class 'horn' by case or blanks only"):
        session.add("HORN", new_class)
    assert session.drop("horn") == before
    with pytest.raises(DataError, match="'A' was not added"):
        session.drop("A")
    with pytest.raises(DataError, match="the class has no name"):
        session.add(" \t", new_class)
    assert NEW not in GenerativeZSL.load(saved).classes_


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "the class is not described (expected attributes or blend; received nothing)"),
        ({"attributes": {}}, "a class is not described by all attributes"),
        ({"attributes": {"wings": 1}}, "there is no attribute called 'wings'"),
        ({"blend": {}}, "the blend is empty"),
        ({"blend": {"A": 0.0}}, "the blend is empty"),
        ({"blend": {"A": -1.0, "B": 2.0}}, "the blend is empty"),
        ({"blend": {"A": float("nan")}}, "'A' has no number"),
        ({"blend": {"A": "much"}}, "'A' has no number"),
        ({"blend": {"A": 10**400}}, "'A' has no number"),
        ({"blend": {"Ä": 1}}, "there is no class called 'Ä'"),
        ({"sentence": "a round letter"}, "this model learnt from numbers and understands no sentences"),
        ({"sentence": 3}, "the class is not described"),
    ],
)
def test_unusable_descriptions_are_refused_and_add_nothing(session, description, message):
    for refused in (lambda: session.imagine(description), lambda: session.add("new", description)):
        with pytest.raises((DataError, UnknownNameError)) as caught:
            refused()
        assert message in str(caught.value)
    assert len(session.overview()["classes"]) == 35


def test_a_class_whose_numbers_are_all_zero_is_refused(session, new_class):
    with pytest.raises(DataError, match="not all zero"):
        session.imagine({"attributes": dict.fromkeys(new_class["attributes"], 0.0)})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("notes.txt", b"hello", "notes.txt cannot be read as an image"),
        ("photo.png", b"\x89PNG\r\n\x1a\n broken", "photo.png cannot be read as an image"),
        ("nothing.png", b"", "nothing.png is empty"),
        (
            "../../../etc/rows.csv",
            b"1,2,3\n4,5,6\n",
            "the rows of rows.csv do not fit the model (expected 256 numbers in",
        ),
        ("rows.csv", b"1,2\n3\n", "line 2 of rows.csv is not a row of features"),
        ("rows.npy", b"no numpy", "rows.npy"),
        ("rows.npz", npy(np.zeros(3)), "rows.npz"),
        ("empty.csv", b"\n\n", "empty.csv holds no row"),
        ("", b"", "the file is empty"),
    ],
)
def test_unusable_uploads_are_refused_by_name(session, name, content, message):
    with pytest.raises(DataError) as caught:
        session.recognise(name, content)
    assert message in str(caught.value)
    assert "tmp" not in str(caught.value)


def test_a_blank_image_and_too_many_rows_are_refused(session, png):
    with pytest.raises(DataError, match="blank.png shows nothing"):
        session.recognise("blank.png", png(np.zeros((50, 50))))
    with pytest.raises(DataError, match="holds too many rows for this page"):
        session.recognise("rows.npy", npy(np.zeros((MAX_ROWS + 1, 256), dtype=np.float32)))


def test_added_classes_are_kept_in_a_file_that_the_command_takes(
    session, saved, new_class, new_images, tmp_path, capsys
):
    with pytest.raises(DataError, match="no class has been added"):
        session.added_semantics()
    session.add(NEW, new_class)
    (tmp_path / "added.npz").write_bytes(session.added_semantics())
    copy = GenerativeZSL.load(saved)
    copy.save(tmp_path / "copy")
    assert main(["classes", str(tmp_path / "copy"), "add", "--from", str(tmp_path / "added.npz")]) == 0
    capsys.readouterr()
    told = session.recognise("letters.npy", npy(new_images))
    answers = GenerativeZSL.load(tmp_path / "copy").predict(new_images)
    assert told["counts"][0] == {"name": NEW, "kind": "added", "count": int((answers == NEW).sum())}


def test_a_model_without_a_generator_still_recognises_and_takes_classes(glyphs, real_samples, new_class, new_images):
    estimator = GenerativeZSL(model="ridge-cosine", rehearse=False).fit_view(glyphs.training()).drop_classes([NEW])
    session = Session(estimator, samples=real_samples)
    assert not session.overview()["generates"]
    told = session.look("A")
    assert (told["mean"], told["pictures"], told["answers"], told["nearest"]) == (None, [], [], [])
    session.add(NEW, new_class)
    assert session.recognise("letters.npy", npy(new_images))["counts"][0]["name"] == NEW


def test_features_that_are_no_images_have_nearest_samples_instead_of_pictures():
    dataset = make_toy_dataset()
    estimator = GenerativeZSL(model="gfzsl", rehearse=False).fit_view(dataset.training())
    session = Session(estimator, samples=RealSamples(dataset))
    told = session.overview()
    assert told["images"] is None
    assert told["classes"][0]["picture"] is None
    assert not told["uploads"]["images"]
    assert [slider["name"] for slider in told["sliders"]][:2] == ["attribute 1", "attribute 2"]
    looked = session.look("kind 3")
    assert (looked["mean"], looked["pictures"], looked["real"]) == (None, [], [])
    assert len(looked["nearest"]) == N_NEAREST
    with pytest.raises(DataError, match="photo.jpg holds no rows of features"):
        session.recognise("photo.jpg", b"\xff\xd8\xff")
    assert session.recognise_real("kind 3")["counts"][0]["name"] == "kind 3"


def test_classes_that_are_called_by_numbers_stay_numbers():
    view = make_toy_dataset().training()
    semantics = dict(enumerate(view.semantics))
    estimator = GenerativeZSL(model="gfzsl", rehearse=False).fit(view.features, view.labels, semantics=semantics)
    session = Session(estimator)
    assert session.overview()["classes"][0]["name"] == "0"
    session.add("77", {"blend": {"0": 1, "1": 1}})
    assert estimator.added_classes_.tolist() == [77]
    assert session.look("77")["answers"]
    for name in ("seven", "7.5", "²"):
        with pytest.raises(DataError, match="cannot name a class of this model"):
            session.add(name, {"blend": {"0": 1}})
    session.drop("77")
    assert estimator.added_classes_.tolist() == []


def test_real_samples_are_those_that_training_did_not_see(glyphs, real_samples):
    held_out = {row.tobytes() for row in glyphs.features[np.r_[glyphs.test_seen_rows, glyphs.test_unseen_rows]]}
    for name in glyphs.class_names:
        rows = real_samples.of(name)
        assert 0 < len(rows) <= ROWS_OF_A_CLASS
        assert all(row.tobytes() in held_out for row in rows)
    sample = real_samples.of("A")[3]
    rows, names, similarities = real_samples.nearest(sample, 5)
    assert real_samples.features[rows[0]].tolist() == sample.tolist()
    assert names[0] == "A"
    assert similarities[0] == pytest.approx(1.0, abs=1e-5)
    assert not len(real_samples.of("Ä"))


def test_a_saved_model_opens_without_samples_and_says_so(saved):
    told = Session.open(saved).overview()
    assert told["title"] == "letters"
    assert not told["real"]
    assert told["note"] == "A saved model holds no samples: imagined ones stand alone here."
    with pytest.raises(DataError, match="there is no real sample of 'A' here"):
        Session.open(saved).recognise_real("A")


def test_a_run_brings_its_data_and_says_so_where_they_are_gone(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "run")
    asked_for = {"data": "glyphs", "features": None, "semantics": None}
    record = {"status": "finished", "data": {"name": "glyphs", "split": "0", "asked_for": asked_for}}
    write_record(folder, record)
    session = Session.open(folder)
    told = session.overview()
    assert told["facts"] == {"model": "gfzsl", "data": "glyphs, split 0", "seen classes": "28", "never seen": "7"}
    assert told["real"]
    assert len(session.look("A")["real"]) == N_REAL
    for data, message in (
        ({**record["data"], "asked_for": {**asked_for, "data": str(tmp_path / "gone")}}, "there is no data set called"),
        ({"name": "glyphs"}, "the record does not say where its data are"),
    ):
        write_record(folder, {**record, "data": data})
        told = Session.open(folder).overview()
        assert told["note"].startswith(f"No real samples are shown: {message}")
        assert not told["real"]
    write_record(folder, {**record, "status": "running"})
    with pytest.raises(RunFolderError, match="did not finish"):
        Session.open(folder)


def test_foreign_and_missing_folders_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RunFolderError):
            Session.open(folder)
