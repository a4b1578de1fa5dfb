"""The pages on data and the examples do what they say, with encoders small enough to be made here."""

import csv
import importlib.util
import subprocess
import sys

import numpy as np
import pytest

import zslearn
from encoders import VOCABULARY, tiny_backbone, tiny_text_encoder
from own import write_table
from pages import Page, shortened
from toy import toy_dataset as make_toy_dataset
from zslearn.cli import main
from zslearn.data.conversion import write_own
from zslearn.data.own import class_table

OWN_DATA, IMAGES, SEMANTICS = Page("docs/own-data.md"), Page("docs/images.md"), Page("docs/semantics.md")
FLOWERS, SENSORS = Page("examples/flowers/README.md"), Page("examples/sensors/README.md")
CLASSES = FLOWERS.path.with_name("classes.csv")
PROGRAM = SENSORS.path.with_name("make_data.py")


def run_commands(page, capsys):
    """Run the page's zslearn commands one after the other and return what they printed."""
    printed = []
    for words in page.commands:
        code = main(shortened(words))
        output = capsys.readouterr()
        assert code == 0, (words, output.err)
        printed.append(output.out)
    return printed


def encoders_by_their_hub_names(folder):
    """Small encoders in folders that are called as the pages' encoders are: folders go before the hub."""
    pytest.importorskip("transformers", reason="needs the extra encoders")
    for name in ("facebook/dinov2-small", "backbone"):
        tiny_backbone(folder / name, "dinov2")
    for name in ("sentence-transformers/all-MiniLM-L6-v2", "encoder"):
        (folder / name).mkdir(parents=True)
        tiny_text_encoder(folder / name)


def draw_photos(folder, labels, n_each):
    images = pytest.importorskip("PIL.Image", reason="needs the extra encoders")
    rng = np.random.default_rng(0)
    for label in labels:
        (folder / label).mkdir(parents=True)
        base = rng.integers(0, 200, size=3)
        for number in range(1, n_each + 1):
            pixels = base + rng.integers(0, 55, size=(8, 8, 3))
            images.fromarray(pixels.astype(np.uint8)).resize((32, 32)).save(folder / label / f"{number}.png")


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.docs
def test_own_data_page(workplace, capsys):
    dataset = make_toy_dataset()
    write_own(dataset, workplace / "my-data")
    np.save(workplace / "new.npy", dataset.test().features[:5])
    run_commands(OWN_DATA, capsys)
    assert len((workplace / "answers.csv").read_text().splitlines()) == 6
    assert zslearn.load_data("mine-again").checksum == zslearn.load_data("my-data").checksum == dataset.checksum
    (code,) = OWN_DATA.blocks("python")
    exec(code, {})
    assert "16 seen and 4 unseen classes" in capsys.readouterr().out


@pytest.mark.docs
def test_the_class_table_of_the_page_is_one(tmp_path):
    (tmp_path / "classes.csv").write_text(OWN_DATA.blocks("csv")[0])
    table = class_table(tmp_path / "classes.csv")
    assert (table.names, table.attribute_names) == (
        ("zebra", "dolphin", "okapi"),
        ("stripes", "hooves", "fins", "wings"),
    )
    (tmp_path / "classes.csv").write_text(SEMANTICS.blocks("csv")[0])
    assert list(class_table(tmp_path / "classes.csv").sentences) == ["looks", "parts"]


@pytest.mark.docs
def test_images_page(workplace, capsys):
    encoders_by_their_hub_names(workplace)
    draw_photos(workplace / "photos", ["a", "b"], 2)
    (printed,) = run_commands(IMAGES, capsys)
    assert "4 images with 2 labels" in printed
    (code,) = IMAGES.blocks("python")
    exec(code, {})
    assert "(2, 16) dinov2" in capsys.readouterr().out


@pytest.mark.docs
def test_semantics_page(workplace, capsys):
    encoders_by_their_hub_names(workplace)
    dataset = make_toy_dataset()
    write_own(dataset, workplace / "my-data")
    words = np.random.default_rng(0)
    texts = [" ".join(words.choice(VOCABULARY[4:], 5)) for _ in dataset.class_names]
    with (workplace / "my-data" / "classes.csv").open() as file:
        lines = list(csv.DictReader(file))
    columns = {name: [line[name] for line in lines] for name in ("name", "split", "a01", "a02")}
    (workplace / "my-data" / "classes.csv").unlink()
    write_table(workplace / "classes.csv", {**columns, "looks": texts})
    run_commands(SEMANTICS, capsys)
    assert zslearn.load_data("my-data").semantics.shape == (20, 8)
    assert zslearn.load_data("my-data", semantics="mixed.npz").semantics.shape == (20, 10)
    (code,) = SEMANTICS.blocks("python")
    exec(code, {})
    assert "(20, 8) (8,)" in capsys.readouterr().out


def test_the_flowers_are_described_each_in_one_sentence_of_its_own():
    table = class_table(CLASSES)
    (texts,) = table.sentences.values()
    assert len(table.names) == len(set(texts)) == 102
    assert table.split.count("unseen") == 20
    assert all(40 < len(text) < 220 and text.endswith(".") and text.count(". ") == 0 for text in texts)


@pytest.mark.docs
def test_the_flowers_example_needs_eight_commands_at_most(workplace, capsys):
    encoders_by_their_hub_names(workplace)
    (workplace / "classes.csv").write_bytes(CLASSES.read_bytes())
    draw_photos(workplace / "photos", class_table(CLASSES).names, 4)
    first = workplace / "photos" / "moon orchid"
    (first / "1.png").rename(first / "image_07200.jpg")
    printed = run_commands(FLOWERS, capsys)
    assert len(FLOWERS.blocks("sh")[0].splitlines()) <= 8
    assert "408 images with 102 labels" in printed[0]
    assert "102 classes" in printed[1]
    assert printed[2].rstrip().splitlines()[-1].startswith("It can be used")
    assert len(printed[4].splitlines()) == 4
    assert (workplace / "flowers-run" / "report.html").is_file()
    assert "snowdrop" in printed[-1]


def sensors_program():
    spec = importlib.util.spec_from_file_location("make_data", PROGRAM)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def test_the_sensors_example_makes_a_sound_data_folder(tmp_path, capsys):
    program = sensors_program()
    program.main(tmp_path / "sounds")
    data = zslearn.load_data(tmp_path / "sounds")
    assert (len(data.seen_ids), len(data.unseen_ids), data.attribute_names) == (16, 4, program.ATTRIBUTES)
    assert {data.class_names[i] for i in data.unseen_ids} == set(program.NEVER_HEARD)
    assert main(["data", "check", str(tmp_path / "sounds"), "--strict"]) == 0


@pytest.mark.docs
def test_the_sensors_example_runs(workplace, capsys):
    subprocess.run([sys.executable, PROGRAM, "sounds"], check=True)
    printed = run_commands(SENSORS, capsys)
    assert len((workplace / "answers.csv").read_text().splitlines()) == 801
    assert "chipped fan" in printed[-1]
