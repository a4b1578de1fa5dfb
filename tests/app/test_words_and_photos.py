"""Models that learnt from sentences and photographs: the app takes both, and says what is missing."""

import io
import shutil

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.app.session import Session
from zslearn.data.dataset import TrainingView
from zslearn.data.images import ImageEncoder
from zslearn.data.own import class_table
from zslearn.data.text import TextEncoder, describe_classes, describe_like
from zslearn.errors import DataError, UnknownNameError

images = pytest.importorskip("PIL.Image", reason="needs the extra encoders")
pytest.importorskip("transformers", reason="needs the extra encoders")

TABLE = """name,text,legs,wings
rose,a red flower with petals,0,0
iris,a blue flower,0,0
zebra,an animal with stripes,4,0
shark,an animal with fins,0,0
bird,an animal with wings,2,2
"""


@pytest.fixture(scope="module")
def make_session(encoders, tmp_path_factory):
    """Makes a session whose classes are sentences, mixed with attributes or not."""
    path = tmp_path_factory.mktemp("words") / "classes.csv"
    path.write_text(TABLE)
    backbone = ImageEncoder(encoders[0])
    features = backbone.encode([images.open(io.BytesIO(photo(number))) for number in range(16)])

    def make(attribute_weight=0.0, **options):
        semantics = describe_classes(TextEncoder(encoders[1]), class_table(path), attribute_weight=attribute_weight)
        view = TrainingView(
            name="photographs",
            features=features,
            labels=np.repeat(np.arange(4), 4),
            semantics=semantics.vectors,
            class_names=semantics.names,
            seen_ids=np.arange(4),
            unseen_ids=np.array([4]),
            backbone=backbone.facts(),
            text_encoder=semantics.encoder,
        )
        return Session(GenerativeZSL(model="gfzsl", rehearse=False).fit_view(view), **options)

    return make


def photo(number):
    stream = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, size=(20, 20, 3), dtype=np.uint8)
    images.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def test_a_sentence_describes_a_class_as_those_of_the_training_were(make_session, encoders):
    session = make_session()
    told = session.overview()
    assert told["ways"] == ["sentence", "blend"]
    assert told["sliders"] == []
    assert session.look("bird")["values"] == []
    bird = session.imagine({"sentence": "an animal with wings"})
    assert bird["answers"] == session.imagine({"blend": {"bird": 1}})["answers"]
    added = session.add("blue bird", {"sentence": "a blue animal with wings"})
    assert added["classes"][-1] == {"name": "blue bird", "kind": "added", "picture": None}
    expected = describe_like(session._estimator.text_encoder_, ["a blue animal with wings"])
    assert session._estimator.semantics_[-1] == pytest.approx(expected)
    for empty in ("", "  \n"):
        with pytest.raises(DataError, match="the description is empty"):
            session.add("nothing", {"sentence": empty})
    with pytest.raises(DataError, match=r"expected sentence or blend; received attributes"):
        session.imagine({"attributes": {}})


def test_sentences_that_were_mixed_with_attributes_come_with_sliders(make_session):
    session = make_session(attribute_weight=0.5)
    assert session.overview()["sliders"] == [
        {"name": "legs", "low": pytest.approx(0, abs=1e-6), "high": pytest.approx(4)},
        {"name": "wings", "low": pytest.approx(0, abs=1e-6), "high": pytest.approx(2)},
    ]
    assert session.look("zebra")["values"] == pytest.approx([4, 0], abs=1e-6)
    described = {"sentence": "an animal with stripes", "attributes": {"legs": 4, "wings": 0}}
    session.add("another zebra", described)
    assert session._estimator.semantics_[-1] == pytest.approx(session._estimator.semantics_[2])
    with pytest.raises(DataError, match="a class is not described by all attributes"):
        session.imagine({"sentence": "an animal", "attributes": {"legs": 1}})


def test_photographs_are_encoded_as_those_of_the_training(make_session):
    session = make_session()
    told = session.recognise("photo.png", photo(0))
    row = session._reader.read("photo.png", photo(0)).features
    assert row.shape == (1, session._estimator.n_features_in_)
    assert told["counts"][0]["name"] == session._estimator.predict(row)[0]
    assert told["rows"][0]["picture"] is None
    with pytest.raises(DataError, match="photo.png cannot be read as an image"):
        session.recognise("photo.png", photo(0)[:50])


def test_encoders_that_have_moved_are_told_of_and_can_be_named(make_session, encoders, tmp_path):
    session = make_session()
    moved = {}
    for name, folder in zip(("backbone", "encoder"), encoders, strict=True):
        moved[name] = shutil.copytree(folder, tmp_path / name)
    estimator = session._estimator
    for facts, part in ((estimator.backbone_, "backbone"), (estimator.text_encoder_, "encoder")):
        facts["name"] = str(tmp_path / f"gone {part}")
    lost = Session(estimator)
    with pytest.raises(UnknownNameError, match="there is no folder .*gone encoder"):
        lost.imagine({"sentence": "an animal"})
    with pytest.raises(UnknownNameError, match="there is no folder .*gone backbone"):
        lost.recognise("photo.png", photo(1))
    assert lost.imagine({"blend": {"rose": 1}})["answers"]
    found = Session(estimator, **moved)
    assert found.imagine({"sentence": "an animal"})["answers"]
    assert found.recognise("photo.png", photo(1))["n_rows"] == 1
