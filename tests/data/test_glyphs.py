"""The built-in glyphs: what ships is what the script draws, and no face is on both sides of a hold-out."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from zslearn.data.dataset import ZSLDataset
from zslearn.data.glyph_semantics import ATTRIBUTES, CHARACTERS, SEGMENT_CODES, glyph_semantics
from zslearn.data.glyphs import (
    FACES,
    GLYPHS_FILE,
    HELDOUT_FACES,
    REHEARSAL_FACES,
    UNSEEN_CHARACTERS,
    UNSEEN_DRAW,
    load_glyphs,
)
from zslearn.data.splits import rehearsal_folds
from zslearn.errors import DataError

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_glyphs.py"


@pytest.fixture(scope="module")
def glyphs() -> ZSLDataset:
    return load_glyphs()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("build_glyphs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pairs(glyphs: ZSLDataset, rows: np.ndarray) -> set[tuple[int, int]]:
    assert glyphs.groups is not None
    return set(zip(glyphs.labels[rows].tolist(), glyphs.groups[rows].tolist(), strict=True))


def rows_of(features: np.ndarray, glyphs: ZSLDataset) -> np.ndarray:
    """Find the rows of the data set that hold these features; noise makes every picture unique."""
    number = {row.tobytes(): i for i, row in enumerate(glyphs.features)}
    assert len(number) == len(glyphs.features)
    return np.array([number[row.tobytes()] for row in features])


def test_counts(glyphs: ZSLDataset) -> None:
    assert (len(CHARACTERS), len(FACES), len(ATTRIBUTES)) == (36, 21, 34)
    assert glyphs.features.shape == (36 * 21 * 5, 256)
    assert (len(glyphs.seen_ids), len(glyphs.unseen_ids)) == (28, 8)
    assert len(glyphs.train_rows) == 28 * 17 * 5
    assert len(glyphs.test_seen_rows) == 28 * 4 * 5
    assert len(glyphs.test_unseen_rows) == 8 * 21 * 5
    assert len(pairs(glyphs, np.arange(len(glyphs.labels)))) == 36 * 21


def test_file_is_smaller_than_a_megabyte() -> None:
    assert GLYPHS_FILE.stat().st_size < 1_000_000


def test_file_names_classes_faces_and_attributes_without_pickles() -> None:
    with np.load(GLYPHS_FILE, allow_pickle=False) as arrays:
        assert arrays["images"].dtype == np.uint8
        assert tuple(arrays["class_names"].tolist()) == CHARACTERS
        assert tuple(arrays["face_names"].tolist()) == FACES
        assert tuple(arrays["attribute_names"].tolist()) == ATTRIBUTES


def test_features_are_mostly_paper_with_ink_of_full_range(glyphs: ZSLDataset) -> None:
    assert glyphs.features.min() == 0
    assert glyphs.features.max() == 1
    images = glyphs.features.reshape(-1, 16, 16)
    assert images[:, 0].mean() < 0.1 < 0.2 < images[:, 4:12, 4:12].mean()


def test_pictures_are_upright(glyphs: ZSLDataset) -> None:
    images = glyphs.features.reshape(-1, 16, 16)
    lower_part = {
        character: images[glyphs.labels == CHARACTERS.index(character), 8:].mean()
        / images[glyphs.labels == CHARACTERS.index(character)].mean()
        for character in "LP"
    }
    assert lower_part["L"] > 1.1
    assert lower_part["P"] < 0.9


def test_seen_test_samples_come_from_faces_that_training_lacks(glyphs: ZSLDataset) -> None:
    assert glyphs.groups is not None
    heldout = {FACES.index(face) for face in HELDOUT_FACES}
    assert set(glyphs.heldout_groups) == heldout
    assert set(glyphs.groups[glyphs.test_seen_rows]) == heldout
    assert not heldout & set(glyphs.groups[glyphs.train_rows])


def test_no_character_and_face_pair_is_on_both_sides(glyphs: ZSLDataset) -> None:
    test_rows = np.concatenate([glyphs.test_seen_rows, glyphs.test_unseen_rows])
    assert not pairs(glyphs, glyphs.train_rows) & pairs(glyphs, test_rows)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_character_and_face_pair_is_on_both_sides_of_a_rehearsal(glyphs: ZSLDataset, seed: int) -> None:
    rehearsal_faces = {FACES.index(face) for face in REHEARSAL_FACES}
    for fold in rehearsal_folds(glyphs.training(), seed=seed):
        train_pairs = pairs(glyphs, rows_of(fold.training.features, glyphs))
        test_pairs = pairs(glyphs, rows_of(fold.test_features[:], glyphs))
        assert not train_pairs & test_pairs
        assert not rehearsal_faces & {face for _, face in train_pairs}
        assert test_pairs <= pairs(glyphs, glyphs.train_rows)


def test_faces_held_out_for_different_purposes_differ() -> None:
    assert len({*HELDOUT_FACES, *REHEARSAL_FACES}) == 8


def test_unseen_characters_are_drawn_as_stated(glyphs: ZSLDataset) -> None:
    rng = np.random.default_rng(2025)
    drawn = [rng.choice(list(kind), n, replace=False) for kind, n in UNSEEN_DRAW]
    assert set(np.concatenate(drawn)) == set(UNSEEN_CHARACTERS)
    assert sorted("".join(kind for kind, _ in UNSEEN_DRAW)) == sorted(CHARACTERS)
    assert {CHARACTERS[i] for i in glyphs.unseen_ids} == set(UNSEEN_CHARACTERS)


def test_shipped_semantics_are_the_hand_written_tables(glyphs: ZSLDataset) -> None:
    np.testing.assert_array_equal(glyphs.semantics, glyph_semantics())


def test_no_two_classes_share_semantics() -> None:
    assert len(np.unique(glyph_semantics(), axis=0)) == len(CHARACTERS)


def test_semantics_use_the_whole_of_each_column() -> None:
    semantics = glyph_semantics()
    assert semantics.min() == 0
    np.testing.assert_array_equal(semantics.max(axis=0), np.ones(len(ATTRIBUTES)))
    assert (semantics.min(axis=0)[np.array(ATTRIBUTES) != "width"] == 0).all()


@pytest.mark.parametrize(("one", "other"), ["O0", "D0", "B8", "S5", "I1"])
def test_strokes_tell_apart_what_segments_do_not(one: str, other: str) -> None:
    assert SEGMENT_CODES[one] == SEGMENT_CODES[other]
    semantics = glyph_semantics()
    assert np.abs(semantics[CHARACTERS.index(one)] - semantics[CHARACTERS.index(other)]).max() >= 0.3


@pytest.mark.parametrize("face", ["DejaVuSerif-Italic", "cmtt10"])
def test_script_draws_what_ships(glyphs: ZSLDataset, script: ModuleType, face: str) -> None:
    assert glyphs.groups is not None
    shipped = np.rint(255 * glyphs.features[glyphs.groups == FACES.index(face)]).astype(int)
    drawn = script.draw_face(face).reshape(len(shipped), -1).astype(int)
    # Bit for bit where it was built; other builds of matplotlib and numpy may round a curve differently.
    assert np.abs(drawn - shipped).max() <= 2


def test_script_draws_mirrored_letters_mirrored(script: ModuleType) -> None:
    outlines = script.upright_outlines("DejaVuSans")
    for character in "AHOTV":
        ink = script.render(outlines[character])
        np.testing.assert_allclose(ink, ink[:, ::-1], atol=0.1)
    assert script.render(outlines["H"]).sum(axis=1)[[1, 14]] == pytest.approx(0, abs=0.2)


def test_damaged_file_is_an_error(tmp_path: Path) -> None:
    content = bytearray(GLYPHS_FILE.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / "glyphs.npz"
    damaged.write_bytes(content)
    with pytest.raises(DataError, match=r"are damaged \(expected SHA-256 .*\)\. Install zslearn again"):
        load_glyphs(damaged)


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read from .*No such file"):
        load_glyphs(tmp_path / "glyphs.npz")
