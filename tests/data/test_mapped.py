import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from zslearn import GenerativeZSL
from zslearn.configuration import field_facts
from zslearn.data.mapped import MEMORY_VARIABLE, MappedRows, any_negative, blocks, some_per_class, taken
from zslearn.data.own import read_own
from zslearn.data.splits import rehearsal_folds
from zslearn.errors import ConfigError
from zslearn.models import model_entry

SHORT = {"n_updates": 20, "teacher_updates": 20, "n_synthetic": 20, "classifier_epochs": 60}
SHORT |= {"hidden_dim": 16, "decoder_dim": 16}


@pytest.fixture
def matrix(tmp_path):
    np.save(tmp_path / "m.npy", np.random.default_rng(0).normal(size=(50, 6)).astype(np.float16))
    return np.load(tmp_path / "m.npy", mmap_mode="r")


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setenv(MEMORY_VARIABLE, "1000")


@pytest.fixture
def on_disk(toy_dataset, tmp_path):
    """The toy data with features in a file."""
    np.save(tmp_path / "features.npy", toy_dataset.features)
    return replace(toy_dataset, features=np.load(tmp_path / "features.npy", mmap_mode="r"))


def test_mapped_rows_are_read_like_those_of_an_array(matrix):
    numbers = np.array([7, 3, 3, 40, 12])
    rows, array = MappedRows(matrix, numbers), np.asarray(matrix)[numbers].astype(np.float32)
    assert rows.shape == (5, 6)
    assert len(rows) == 5
    assert np.asarray(rows).dtype == rows.dtype == np.float32
    for which in (slice(None), slice(1, 3), np.array([4, 0, 0]), array[:, 0] > 0):
        np.testing.assert_array_equal(rows[which], array[which])
    np.testing.assert_array_equal(rows.select(np.array([3, 1]))[:], array[[3, 1]])
    assert any_negative(rows) == bool((array < 0).any())
    assert not any_negative(MappedRows(np.abs(matrix), numbers))


def test_rows_are_copied_until_that_takes_much_memory(matrix, monkeypatch):
    numbers = np.arange(10, 20)
    monkeypatch.setenv(MEMORY_VARIABLE, "240")
    assert type(taken(matrix, numbers)) is np.ndarray
    monkeypatch.setenv(MEMORY_VARIABLE, "239")
    mapped = taken(matrix, numbers)
    assert isinstance(mapped, MappedRows)
    assert isinstance(taken(mapped, np.array([1])), MappedRows)
    # What is in memory already is no smaller for being read again.
    assert type(taken(np.asarray(matrix), numbers)) is np.ndarray
    monkeypatch.setenv(MEMORY_VARIABLE, "plenty")
    with pytest.raises(ConfigError, match=f"{MEMORY_VARIABLE} is not a number of bytes"):
        taken(matrix, numbers)


def test_blocks_are_all_rows_once(matrix):
    matrix = np.memmap(matrix.filename, np.float16, "r", matrix.offset, (1, 300)).repeat(30_000, axis=0)
    rows = MappedRows(matrix, np.arange(30_000))
    places, read = zip(*blocks(rows), strict=True)
    assert len(read) > 1
    assert [place.start for place in places[1:]] == [place.stop for place in places[:-1]]
    assert sum(map(len, read)) == 30_000


def test_a_draw_of_rows_is_even_over_classes_and_always_the_same():
    labels = np.repeat([0, 1, 2], [5, 1000, 300])
    drawn = some_per_class(labels, 90)
    assert np.bincount(labels[drawn]).tolist() == [5, 30, 30]
    assert (np.diff(drawn) > 0).all()
    assert np.array_equal(drawn, some_per_class(labels, 90))
    assert np.array_equal(some_per_class(labels, 2000), np.arange(len(labels)))
    assert np.bincount(labels[some_per_class(labels, 1)]).tolist() == [1, 1, 1]


def test_a_training_view_of_little_memory_reads_from_the_file(on_disk, little_memory):
    view, all_in_memory = on_disk.training(), replace(on_disk, features=np.asarray(on_disk.features)).training()
    assert isinstance(view.features, MappedRows)
    np.testing.assert_array_equal(view.features[:], all_in_memory.features)
    for fold, other in zip(rehearsal_folds(view, seed=3), rehearsal_folds(all_in_memory, seed=3), strict=True):
        assert isinstance(fold.training.features, MappedRows)
        np.testing.assert_array_equal(fold.training.features[:], other.training.features)
        np.testing.assert_array_equal(fold.test_features, other.test_features)


def test_a_view_in_place_is_gathered_when_a_copy_is_small(on_disk, toy_dataset, monkeypatch):
    copied = toy_dataset.training()
    assert copied.gathered() is copied
    for dataset in (toy_dataset, on_disk):
        view = dataset.training_in_place()
        assert isinstance(view.features, MappedRows)
        assert type(view.gathered().features) is np.ndarray
        np.testing.assert_array_equal(view.gathered().features, copied.features)
        for fold, other in zip(rehearsal_folds(view, seed=3), rehearsal_folds(copied, seed=3), strict=True):
            assert type(fold.training.features) is np.ndarray
            np.testing.assert_array_equal(fold.training.features, other.training.features)
    # Whether rows stay in their file is decided of all rows of the view, so that its folds do as it does.
    monkeypatch.setenv(MEMORY_VARIABLE, str(4 * copied.features.size - 1))
    assert on_disk.training_in_place().gathered().features.large
    assert isinstance(rehearsal_folds(on_disk.training_in_place(), seed=3)[0].training.features, MappedRows)
    assert not toy_dataset.training_in_place().features.large


def test_test_rows_in_place_are_the_test_rows(toy_dataset):
    copied, there = toy_dataset.test(), toy_dataset.test_in_place()
    np.testing.assert_array_equal(there.features[:], copied.features)
    np.testing.assert_array_equal(there.labels, copied.labels)


def network_arrays(estimator):
    """The parameters and buffers of a trained model."""
    return {name: array for name, array in estimator.recogniser_.arrays().items() if name.startswith("model.")}


@pytest.mark.parametrize("model", ["skd", "devise", "eszsl", "cada-vae"])
def test_training_from_the_file_is_training(on_disk, model, monkeypatch):
    known = field_facts(model_entry(model).load().Config)
    settings = {name: value for name, value in SHORT.items() if name in known}
    features = on_disk.test().features

    def fitted():
        estimator = GenerativeZSL(model, settings=settings, rehearse=model == "skd", seed=1)
        return estimator.fit_view(on_disk.training())

    in_memory = fitted()
    monkeypatch.setenv(MEMORY_VARIABLE, "1000")
    from_file = fitted()
    assert from_file.alternatives_ == in_memory.alternatives_
    scores, expected = from_file.decision_scores(features), in_memory.decision_scores(features)
    networks = network_arrays(in_memory)
    assert networks or model == "eszsl"
    for name, array in networks.items():
        np.testing.assert_allclose(network_arrays(from_file)[name], array, rtol=1e-4, atol=1e-5, err_msg=name)
    if model == "cada-vae":
        # What the softmax of latents reads is drawn anew in every batch instead of once; another seed's come to 0.4.
        centred = [each - each.mean(axis=1, keepdims=True) for each in (scores, expected)]
        assert np.corrcoef(centred[0].ravel(), centred[1].ravel())[0, 1] > 0.65
    else:
        np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-3)


def test_a_fit_to_a_memory_map_takes_less_memory_than_its_rows(tmp_path, little_memory):
    rng = np.random.default_rng(0)
    labels = rng.integers(20, size=300_000)
    semantics = rng.normal(size=(25, 8))
    np.save(tmp_path / "m.npy", (semantics @ rng.normal(size=(8, 64)))[labels].astype(np.float16))
    mapped = np.load(tmp_path / "m.npy", mmap_mode="r")
    tracemalloc.start()
    estimator = GenerativeZSL("eszsl", rehearse=False).fit(mapped, labels, semantics=dict(enumerate(semantics)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert estimator.score(mapped[:1000], labels[:1000], candidates="seen") > 0.9
    assert peak < 0.7 * 4 * mapped.size


def test_own_data_stay_in_their_file(tmp_path, toy_dataset, little_memory):
    np.save(tmp_path / "features.npy", toy_dataset.features.astype(np.float16))
    names = [toy_dataset.class_names[label] for label in toy_dataset.labels]
    (tmp_path / "rows.csv").write_text("label\n" + "\n".join(names))
    columns = ",".join(f"a{i}" for i in range(toy_dataset.semantics.shape[1]))
    lines = [
        ",".join([name, "unseen" if i in toy_dataset.unseen_ids else "seen", *map(str, toy_dataset.semantics[i])])
        for i, name in enumerate(toy_dataset.class_names)
    ]
    (tmp_path / "classes.csv").write_text(f"name,split,{columns}\n" + "\n".join(lines))
    assert isinstance(read_own(tmp_path).training().features, MappedRows)
