import csv
import json
import warnings
import weakref
import zipfile

import numpy as np
import pytest

from encoders import tiny_backbone
from own import write_table
from zslearn import load_data
from zslearn.data import extraction
from zslearn.data.extraction import ImageSource, extract_features, list_images
from zslearn.data.images import ImageEncoder
from zslearn.errors import DataError, UnknownNameError

images = pytest.importorskip("PIL.Image", reason="needs the extra encoders")
pytest.importorskip("transformers", reason="needs the extra encoders")

COLOURS = {"rot ü": "red", "grün": "green", "blue": "blue"}
N_EACH = 3


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return ImageEncoder(tiny_backbone(tmp_path_factory.mktemp("backbones") / "resnet", "resnet"))


@pytest.fixture
def photos(tmp_path):
    """Three folders of three images, each of them a shade of the folder's colour."""
    folder = tmp_path / "photos"
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(N_EACH):
            shade = images.blend(
                images.new("RGB", (20, 20), colour), images.new("RGB", (20, 20), "white"), 0.2 * number
            )
            shade.save(folder / label / f"{number}.png")
    return folder


def extracted(encoder, source, out, labels=None, **options):
    source = ImageSource(source)
    return extract_features(encoder, source, list_images(source, labels), out, **options)


def rows_of(out):
    with (out / "rows.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_per_class_becomes_features_with_labels(encoder, photos, tmp_path):
    done = extracted(encoder, photos, tmp_path / "data", batch_size=2)
    assert (done.n_images, done.n_labels, done.skipped) == (9, 3, ())
    features = np.load(tmp_path / "data" / "features.npy")
    rows = rows_of(tmp_path / "data")
    assert [row["label"] for row in rows] == [row["file"].split("/")[0] for row in rows]
    expected = encoder.encode([photos / row["file"] for row in rows])
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert not (tmp_path / "data" / ".extract").exists()


def test_with_a_class_table_it_is_a_data_set_that_knows_its_backbone(encoder, photos, tmp_path):
    extracted(encoder, photos, tmp_path / "data")
    write_table(
        tmp_path / "data" / "classes.csv",
        {"name": [*COLOURS, "white"], "red": [1, 0, 0, 1], "green": [0, 1, 0, 1], "blue": [0, 0, 1, 1]},
    )
    dataset = load_data(tmp_path / "data")
    assert dataset.backbone == encoder.facts()
    restored = ImageEncoder.restore(dataset.backbone)
    first = rows_of(tmp_path / "data")[0]["file"]
    np.testing.assert_allclose(restored.encode([photos / first])[0], dataset.features[0], atol=1e-5)


def test_a_zip_archive_gives_the_same(encoder, photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in sorted(photos.rglob("*.png")):
            archive.write(path, path.relative_to(photos).as_posix())
        archive.writestr("__MACOSX/blue/._0.png", b"junk")
    extracted(encoder, photos, tmp_path / "a")
    extracted(encoder, tmp_path / "photos.zip", tmp_path / "b")
    for name in ("features.npy", "rows.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_an_archive_of_the_folder_itself_has_the_same_labels(photos, tmp_path):
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for path in photos.rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path))
    listed = list_images(ImageSource(tmp_path / "photos.zip"))
    assert {image.label for image in listed} == set(COLOURS)
    assert all(image.name.startswith(f"photos/{image.label}/") for image in listed)
    assert {image.label for image in list_images(ImageSource(tmp_path / "photos"))} == set(COLOURS)
    # An image beside the folders of classes: who knows what the folder is.
    (photos / "blue" / "0.png").rename(photos / "0.png")
    assert {image.label for image in list_images(ImageSource(tmp_path))} == {"photos"}
    assert {image.label for image in list_images(ImageSource(photos / "blue"))} == {""}


def test_a_part_that_there_is_not_is_told_before_anything_is_encoded(photos, tmp_path):
    table = write_table(tmp_path / "labels.csv", {"file": ["blue/1.png"], "label": ["sky"], "part": ["trian"]})
    with pytest.raises(UnknownNameError, match=r"no part of the data in labels.csv called 'trian'. Did you mean train"):
        list_images(ImageSource(photos), table)


def test_labels_from_a_table(encoder, photos, tmp_path):
    table = write_table(
        tmp_path / "labels.csv",
        {"file": ["blue/1.png", "grün/0.png"], "label": ["sky", ""], "part": ["test", "unlabelled"]},
    )
    extracted(encoder, photos, tmp_path / "data", table)
    assert rows_of(tmp_path / "data") == [
        {"label": "sky", "file": "blue/1.png", "part": "test"},
        {"label": "", "file": "grün/0.png", "part": "unlabelled"},
    ]
    write_table(table, {"file": ["blue/9.png"], "label": ["sky"]})
    with pytest.raises(
        DataError, match=r"images of labels.csv are not in .*received blue/9.png on its lines; blue/0.png"
    ):
        extracted(encoder, photos, tmp_path / "other", table)


def test_a_table_finds_names_in_other_forms_and_with_other_endings(encoder, photos, tmp_path):
    """Tables have composed letters and no outer blanks; file systems may have both."""
    (photos / "grün" / "0.png").rename(photos / "gru\u0308n 0.png ")
    (photos / "grün" / "1.png").rename(photos / "scan.dat")
    table = write_table(tmp_path / "labels.csv", {"file": ["grün 0.png", "scan.dat"], "label": ["green", "green"]})
    extracted(encoder, photos, tmp_path / "data", table)
    assert [row["file"] for row in rows_of(tmp_path / "data")] == ["gru\u0308n 0.png ", "scan.dat"]
    (photos / "grün" / "2.png").rename(photos / "grün 0.png")
    with pytest.raises(DataError, match=r"have several files in .*'gr.xfcn 0.png' and 'gru.u0308n 0.png '"):
        extracted(encoder, photos, tmp_path / "other", table)


def test_a_table_may_name_images_of_a_folder_where_no_ending_is_known(encoder, photos, tmp_path):
    (tmp_path / "scans").mkdir()
    (photos / "blue" / "0.png").rename(tmp_path / "scans" / "0.dat")
    table = write_table(tmp_path / "labels.csv", {"file": ["0.dat"], "label": ["blue"]})
    assert extracted(encoder, tmp_path / "scans", tmp_path / "data", table).n_images == 1


def test_images_that_cannot_be_read_are_listed_and_nothing_else_is_lost(encoder, photos, tmp_path):
    (photos / "blue" / "empty.jpg").write_bytes(b"")
    (photos / "blue" / "text.png").write_text("no image")
    (photos / "blue" / "notes.txt").write_text("not taken for an image at all")
    whole = (photos / "blue" / "0.png").read_bytes()
    (photos / "blue" / "half.png").write_bytes(whole[: len(whole) // 2])
    (photos / "blue" / "loop.png").symlink_to("loop.png")
    (photos / "blue" / "circle").symlink_to(photos)
    images.new("CMYK", (20, 20)).save(photos / "blue" / "cmyk.jpg")
    done = extracted(encoder, photos, tmp_path / "data")
    assert done.n_images == 10
    assert {name for name, _ in done.skipped} == {"blue/empty.jpg", "blue/text.png", "blue/half.png"}
    with (tmp_path / "data" / "skipped.csv").open(encoding="utf-8") as file:
        listed = {row["file"]: row["reason"] for row in csv.DictReader(file)}
    assert listed["blue/empty.jpg"].startswith("cannot be read as an image (")
    assert "an empty file" in listed["blue/empty.jpg"]
    assert ImageSource(photos).others == ["blue/notes.txt"]
    assert ImageSource(photos).links == ["blue/circle"]
    files = [row["file"] for row in rows_of(tmp_path / "data")]
    assert "blue/cmyk.jpg" in files
    assert not set(listed) & set(files)
    assert len(np.load(tmp_path / "data" / "features.npy")) == len(files)


def test_what_pillow_warns_of_is_not_told_whatever_thread_reads(encoder, photos, tmp_path):
    """Warnings are errors in these tests."""
    damaged = b"Exif\0\0II*\0\x08\0\0\0\xff\0"
    for number in range(N_EACH):
        images.new("RGB", (20, 20), "blue").save(photos / "blue" / f"odd {number}.jpg", exif=damaged)
    before = list(warnings.filters)
    assert extracted(encoder, photos, tmp_path / "data").skipped == ()
    assert warnings.filters == before


def test_no_more_photographs_are_in_memory_than_are_read_at_once(encoder, photos, tmp_path):
    opened, most = [], []

    class Watched(ImageSource):
        def open(self, name):
            image = super().open(name)
            opened.append(weakref.ref(image))
            most.append(sum(reference() is not None for reference in opened))
            return image

    source = Watched(photos)
    done = extract_features(encoder, source, list_images(source), tmp_path / "data", batch_size=9)
    assert (done.n_images, len(most)) == (9, 9)
    assert max(most) <= extraction._READERS


def test_folders_of_classes_that_are_links_are_named(photos, tmp_path):
    (tmp_path / "linked").mkdir()
    for label in COLOURS:
        (tmp_path / "linked" / label).symlink_to(photos / label)
    (tmp_path / "linked" / ".hidden").symlink_to(photos)
    (tmp_path / "linked" / "nowhere").symlink_to(tmp_path / "none")
    with pytest.raises(DataError, match="none; links to folders, which are not followed: blue, grün, rot ü"):
        list_images(ImageSource(tmp_path / "linked"))


def test_an_interrupted_extraction_goes_on(encoder, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(extraction, "PIECE_IMAGES", 4)
    extracted(encoder, photos, tmp_path / "whole")
    (photos / "blue" / "1.png").write_bytes(b"")

    def stop(n_done):
        if n_done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extracted(encoder, photos, tmp_path / "data", on_progress=stop)
    assert not (tmp_path / "data" / "features.npy").exists()
    # What is done already is not read again.
    for path in sorted(photos.rglob("*.png"))[:8]:
        path.write_bytes(b"")
    done = extracted(encoder, photos, tmp_path / "data")
    assert [name for name, _ in done.skipped] == ["blue/1.png"]
    kept = np.delete(np.load(tmp_path / "whole" / "features.npy"), 1, axis=0)
    np.testing.assert_allclose(np.load(tmp_path / "data" / "features.npy"), kept, atol=1e-5)


def test_pieces_of_something_else_are_not_mixed_in(encoder, photos, tmp_path):
    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extracted(encoder, photos, tmp_path / "data", on_progress=stop)
    (photos / "blue" / "1.png").unlink()
    with pytest.raises(DataError, match="holds pieces of another extraction"):
        extracted(encoder, photos, tmp_path / "data")


def test_features_that_are_there_are_not_overwritten(encoder, photos, tmp_path):
    extracted(encoder, photos, tmp_path / "data")
    with pytest.raises(DataError, match="has features already"):
        extracted(encoder, photos, tmp_path / "data")


def test_rows_that_are_there_are_not_overwritten(encoder, photos, tmp_path):
    (tmp_path / "data").mkdir()
    table = write_table(tmp_path / "data" / "rows.csv", {"file": ["blue/1.png"], "label": ["sky"]})
    mine = table.read_bytes()
    with pytest.raises(DataError, match=r"has rows already \(expected a folder without rows.csv\)"):
        extracted(encoder, photos, tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["rows.csv"]
    assert table.read_bytes() == mine


def test_an_extraction_that_was_interrupted_after_its_rows_goes_on(encoder, photos, tmp_path):
    blocked = tmp_path / "data" / "data.json"

    def block(_):
        blocked.mkdir()

    with pytest.raises(IsADirectoryError):
        extracted(encoder, photos, tmp_path / "data", on_progress=block)
    assert len(rows_of(tmp_path / "data")) == 9
    blocked.rmdir()
    assert extracted(encoder, photos, tmp_path / "data").n_images == 9


def test_what_is_known_of_the_data_stays(encoder, photos, tmp_path):
    (tmp_path / "data").mkdir()
    facts = tmp_path / "data" / "data.json"
    facts.write_text("[]")
    with pytest.raises(DataError, match=r"data.json holds no facts"):
        extracted(encoder, photos, tmp_path / "data")
    assert [path.name for path in facts.parent.iterdir()] == ["data.json"]
    facts.write_text('{"name": "garden", "source": "my own camera"}')
    extracted(encoder, photos, tmp_path / "data")
    told = {"name": "garden", "source": "my own camera", "backbone": encoder.facts()}
    assert json.loads(facts.read_text()) == told


def test_half_precision_is_stored_in_half_the_space(photos, tmp_path):
    encoder = ImageEncoder(tiny_backbone(tmp_path / "resnet", "resnet"), half=True)
    extracted(encoder, photos, tmp_path / "data")
    assert np.load(tmp_path / "data" / "features.npy").dtype == np.float16
    assert json.loads((tmp_path / "data" / "data.json").read_text())["backbone"]["precision"] == "half"


def test_sources_without_images_are_refused(encoder, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.zip").write_text("no archive")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_text("no image")
    for name, message in (
        ("empty", "there is no image in"),
        ("file.zip", "is not an archive"),
        ("none", "there is no folder"),
    ):
        with pytest.raises(DataError, match=message):
            list_images(ImageSource(tmp_path / name))
    with pytest.raises(DataError, match="none of the images can be read"):
        extracted(encoder, tmp_path / "bad", tmp_path / "data")
    assert not (tmp_path / "data").exists()
