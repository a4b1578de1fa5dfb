"""Data frames of pandas and polars for features, labels and semantics; zslearn itself needs neither."""

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.errors import DataError, UnknownNameError


@pytest.fixture(scope="module")
def table(toy_dataset):
    view = toy_dataset.training()
    names = np.array(view.class_names)
    return view.features, names[view.labels], names.tolist(), view.semantics


def quick():
    return GenerativeZSL(settings={"n_updates": 3, "teacher_updates": 3}, rehearse=False)


ATTRIBUTES = [f"attribute {i}" for i in range(12)]
COLUMNS = [f"x{i}" for i in range(20)]


@pytest.fixture(params=["pandas", "polars"])
def frames(request, table):
    """The same data as frames, and as arrays."""
    library = pytest.importorskip(request.param, reason="needs the extra test-frames")
    features, labels, names, semantics = table
    described = dict(zip(ATTRIBUTES, semantics.T, strict=True))
    if request.param == "pandas":
        classes = library.DataFrame(described, index=names)
        return library.DataFrame(features, columns=COLUMNS), library.Series(labels), classes, table
    classes = library.DataFrame({"name": names, **described})
    return library.DataFrame(features, schema=COLUMNS), library.Series(labels.tolist()), classes, table


def test_frames_mean_the_same_as_arrays(frames, tmp_path):
    X, y, classes, (features, labels, names, semantics) = frames
    by_frame = quick().fit(X, y, semantics=classes)
    by_array = quick().fit(features, labels, semantics=semantics, classes=names)
    np.testing.assert_array_equal(by_frame.decision_function(X), by_array.decision_function(features))
    assert by_frame.predict(X).tolist() == by_array.predict(features).tolist()
    assert by_frame.score(X, y) == by_array.score(features, labels)
    assert by_frame.attribute_names_ == tuple(ATTRIBUTES)
    assert by_frame.feature_names_in_.tolist() == COLUMNS
    by_frame.save(tmp_path / "m")
    loaded = GenerativeZSL.load(tmp_path / "m")
    assert loaded.predict(X).tolist() == by_frame.predict(X).tolist()


@pytest.mark.parametrize("kind", ["mixed", "nullable"])
def test_semantics_of_several_types_are_numbers_all_the_same(table, kind):
    pandas = pytest.importorskip("pandas", reason="needs the extra test-frames")
    features, labels, names, semantics = table
    classes = pandas.DataFrame(dict(zip(ATTRIBUTES, semantics.T, strict=True)), index=names)
    classes["attribute 3"] = classes["attribute 3"] > 0.5
    plain = classes.to_numpy().astype(np.float64)
    if kind == "nullable":
        classes = classes.convert_dtypes()
    assert classes.to_numpy().dtype == object
    estimator = quick().fit(features, labels, semantics=classes)
    np.testing.assert_array_equal(estimator.semantics_, plain)
    classes = classes.astype(object)
    classes.loc[names[2], "attribute 5"] = "round"
    with pytest.raises(DataError, match="the semantics are not numbers .received object"):
        quick().fit(features, labels, semantics=classes)


def test_columns_in_another_order_are_refused(frames):
    X, y, classes, _ = frames
    estimator = quick().fit(X, y, semantics=classes)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(X[COLUMNS[::-1]])


def test_attributes_of_new_classes_find_their_places(frames):
    X, y, classes, (_, _, _, semantics) = frames
    estimator = quick().fit(X, y, semantics=classes)
    values = dict(zip(ATTRIBUTES[::-1], semantics[3][::-1].tolist(), strict=True))
    estimator.add_classes({"new": values})
    np.testing.assert_array_equal(estimator.semantics_[-1], semantics[3])
    with pytest.raises(UnknownNameError, match="no attribute called 'size'"):
        estimator.add_classes({"other": {**values, "size": 1.0}})
    del values["attribute 4"]
    with pytest.raises(DataError, match="not described by all attributes .*none for attribute 4"):
        estimator.add_classes({"other": values})


def test_a_frame_of_new_classes_is_read_by_column(frames):
    X, y, classes, _ = frames
    estimator = quick().fit(X, y, semantics=classes)
    new = classes[-2:]
    shuffled = new[[*(["name"] if "name" in new.columns else []), *ATTRIBUTES[::-1]]]
    names = ["new 1", "new 2"]
    if "name" in new.columns:
        shuffled = shuffled.drop("name")
    estimator.add_classes(shuffled, classes=names)
    np.testing.assert_array_equal(estimator.semantics_[-2:], estimator.semantics_[18:20])


def test_by_name_needs_names(table):
    features, labels, names, semantics = table
    estimator = quick().fit(features, labels, semantics=semantics, classes=names)
    with pytest.raises(DataError, match="the attributes of this model have no names"):
        estimator.add_classes({"new": {"size": 1.0}})
