import io
import json
import shutil
import socket
import sys
import threading
import time
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from encoders import tiny_backbone
from zslearn import GenerativeZSL
from zslearn.data.images import ImageEncoder, decode_image, open_image
from zslearn.errors import DataError, MissingExtraError, UnknownNameError

images = pytest.importorskip("PIL.Image", reason="needs the extra encoders")
pytest.importorskip("transformers", reason="needs the extra encoders")


DAMAGED_EXIF = b"Exif\0\0II*\0\x08\0\0\0\xff\0"
"""It announces 255 entries and has none."""


def photo(size=(40, 30), seed=0):
    """Colourful blobs: smooth, as photographs are, so that compression changes little."""
    small = np.random.default_rng(seed).integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    return images.fromarray(small).resize(size, images.Resampling.BICUBIC)


def saved(path, image, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tiff", "webp", "ppm"])
def test_formats_give_the_same_picture(tmp_path, ending):
    original = photo()
    options = {"quality": 95} if ending in ("jpg", "webp") else {}
    opened = open_image(saved(tmp_path / f"bild ü.{ending}", original, **options))
    assert opened.mode == "RGB"
    assert np.abs(np.asarray(opened, float) - np.asarray(original, float)).mean() < 4


def test_the_ending_does_not_matter(tmp_path):
    original = photo()
    original.save(tmp_path / "a.jpg", format="PNG")
    assert np.array_equal(np.asarray(open_image(tmp_path / "a.jpg")), np.asarray(original))


def test_cmyk_and_palettes_become_the_same_colours(tmp_path):
    flat = images.new("RGB", (16, 16), (200, 30, 60))
    cmyk = open_image(saved(tmp_path / "a.jpg", flat.convert("CMYK"), quality=95))
    palette = open_image(saved(tmp_path / "a.gif", flat))
    for opened in (cmyk, palette):
        assert np.abs(np.asarray(opened, float) - np.asarray(flat, float)).max() <= 12


def test_transparency_lies_over_white(tmp_path):
    clear = images.new("RGBA", (8, 8), (255, 0, 0, 0))
    assert np.asarray(open_image(saved(tmp_path / "a.png", clear))).min() == 255
    half = images.new("RGBA", (8, 8), (255, 0, 0, 128))
    assert np.asarray(open_image(saved(tmp_path / "b.png", half)))[0, 0].tolist() == [255, 127, 127]


def test_an_animation_is_its_first_frame(tmp_path):
    frames = [images.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    path = saved(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert np.asarray(open_image(path))[0, 0].tolist() == [255, 0, 0]


def test_sideways_photographs_are_turned_upright(tmp_path):
    exif = images.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path / "a.jpg", photo((40, 30)), exif=exif)
    assert open_image(path).size == (30, 40)


def test_what_pillow_warns_of_is_not_told(tmp_path):
    odd = saved(tmp_path / "a.jpg", photo(), exif=DAMAGED_EXIF)
    with pytest.warns(UserWarning, match="Corrupt EXIF"):
        decode_image(odd)
    assert open_image(odd).size == (40, 30)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    grey = np.full((8, 8), 0x8000, dtype=np.uint16)
    assert np.asarray(open_image(saved(tmp_path / "a.png", images.fromarray(grey))))[0, 0].tolist() == [128] * 3


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "an empty file"),
        (b"GIF89a", "GIF89a|truncated|broken|index|struct|a file of another kind"),
        (b"plain text", "a file of another kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n", "a file of another kind"),
    ],
)
def test_what_is_no_image_is_one_clear_error(tmp_path, content, cause):
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=cause) as caught:
        open_image(path)
    assert "photo.jpg cannot be read as an image" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_photograph_is_refused(tmp_path):
    path = saved(tmp_path / "a.jpg", photo((200, 200)))
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="truncated"):
        open_image(path)


def test_a_missing_file_a_folder_and_a_loop_say_what_they_are(tmp_path):
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    for name, cause in (("none.jpg", "No such file"), ("", "a folder"), ("loop.jpg", "symbolic links")):
        with pytest.raises(DataError, match=cause):
            open_image(tmp_path / name)


class Waiting(io.BytesIO):
    """A file that says when it is read first, and waits until it may go on."""

    def __init__(self, content):
        super().__init__(content)
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def read(self, *size):
        self.begun.set()
        assert self.may_go_on.wait(60)
        return super().read(*size)


def test_threads_that_decode_leave_the_warnings_of_the_process_alone(tmp_path):
    content = saved(tmp_path / "a.png", photo()).read_bytes()
    files = [Waiting(content), Waiting(content)]
    before = list(warnings.filters)
    with ThreadPoolExecutor(2) as readers:
        decoded = [readers.submit(decode_image, file, "a") for file in files]
        assert all(file.begun.wait(60) for file in files)
        # Who began first is done first: each would put back the filters that it found.
        for file, image in zip(files, decoded, strict=True):
            file.may_go_on.set()
            assert image.result().size == (40, 30)
    assert warnings.filters == before


@pytest.mark.parametrize(("width", "size"), [(12_000, "12000 x 12000"), (20_000, "far more")])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path, width, size):
    path = tmp_path / "bomb.png"
    images.new("1", (width, width)).save(path)
    assert path.stat().st_size < 100_000
    started = time.perf_counter()
    with pytest.raises(DataError, match=rf"is too large \(expected at most 134,217,728 pixels; received {size}\)"):
        open_image(path)
    assert time.perf_counter() - started < 1


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    return tiny_backbone(tmp_path_factory.mktemp("backbones") / "vit", "vit")


def reference(folder, kind, image):
    """The same by hand: resize, rescale to [-1, 1], and the vector that each architecture offers."""
    import torch
    from transformers import AutoModel

    pixels = np.asarray(image.resize((32, 32), images.Resampling.BICUBIC if kind == "clip" else 2), dtype=np.float32)
    batch = torch.tensor((pixels / 255 - 0.5) / 0.5).permute(2, 0, 1)[None]
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        if kind == "clip":
            return model.visual_projection(model.vision_model(batch).pooler_output).numpy()
        states = model(batch).last_hidden_state
    axes = {"vit": None, "dinov2": None, "swin": 1, "resnet": (2, 3)}[kind]
    return (states[:, 0] if axes is None else states.mean(axes)).numpy()


@pytest.mark.parametrize(
    ("kind", "feature_dim"), [("vit", 16), ("dinov2", 16), ("swin", 16), ("resnet", 16), ("clip", 12)]
)
def test_every_architecture_gives_its_image_vector(tmp_path, kind, feature_dim):
    folder = tiny_backbone(tmp_path / kind, kind)
    encoder = ImageEncoder(folder)
    image = photo((64, 64))
    features = encoder.encode([image, photo((64, 64), seed=1)])
    assert features.dtype == np.float32
    assert features.shape == (2, encoder.feature_dim) == (2, feature_dim)
    np.testing.assert_allclose(features[:1], reference(folder, kind, image), atol=1e-4)


def test_batches_and_paths_make_no_difference(tmp_path, vit):
    encoder = ImageEncoder(vit)
    pictures = [photo((50, 20 + i), seed=i) for i in range(3)]
    paths = [saved(tmp_path / f"{i}.png", picture) for i, picture in enumerate(pictures)]
    alone = np.concatenate([encoder.encode([picture]) for picture in pictures])
    np.testing.assert_allclose(encoder.encode(pictures), alone, atol=1e-5)
    np.testing.assert_allclose(encoder.encode(paths), alone, atol=1e-5)
    assert encoder.encode([]).shape == (0, 16)


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_images_prepared_one_by_one_are_to_the_bit_those_prepared_together(tmp_path, kind):
    from transformers import AutoImageProcessor

    folder = tiny_backbone(tmp_path / kind, kind)
    encoder = ImageEncoder(folder)
    pictures = [photo((50, 20 + 7 * i), seed=i) for i in range(3)]
    together = AutoImageProcessor.from_pretrained(folder, backend="pil")(images=pictures, return_tensors="pt")
    prepared = [encoder.prepare(picture) for picture in pictures]
    for picture, expected in zip(prepared, together["pixel_values"].split(1), strict=True):
        assert picture.equal(expected)
    assert np.array_equal(encoder.encode_prepared(prepared), encoder.encode(pictures))
    assert encoder.encode_prepared([]).shape == (0, encoder.feature_dim)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_a_machine_without_memory_is_not_the_fault_of_an_image(tmp_path):
    import resource

    path = saved(tmp_path / "large.png", images.new("1", (9_000, 9_000)))
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 26), hard))
    try:
        with pytest.raises(MemoryError):
            open_image(path)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_half_precision_is_close_and_stated(vit):
    full, half = ImageEncoder(vit), ImageEncoder(vit, half=True)
    a, b = full.encode([photo()])[0], half.encode([photo()])[0]
    assert 0 < np.abs(a - b).max() < 0.1
    assert (full.facts()["precision"], half.facts()["precision"]) == ("float32", "half")


def test_pooling_on_demand(vit):
    facts = {pooling: ImageEncoder(vit, pooling=pooling) for pooling in ("auto", "class", "mean")}
    vectors = {pooling: encoder.encode([photo()]) for pooling, encoder in facts.items()}
    assert np.array_equal(vectors["auto"], vectors["class"])
    assert not np.allclose(vectors["mean"], vectors["class"])


def test_facts_are_enough_to_restore_the_encoder(vit, tmp_path):
    encoder = ImageEncoder(vit, pooling="mean")
    facts = json.loads(json.dumps(encoder.facts()))
    assert facts["name"] == str(vit.resolve())
    restored = ImageEncoder.restore(facts)
    assert restored.facts() == facts
    assert np.array_equal(restored.encode([photo()]), encoder.encode([photo()]))
    moved = shutil.copytree(vit, tmp_path / "moved")
    assert ImageEncoder.restore(facts, backbone=moved).facts()["sha256"] == facts["sha256"]
    with pytest.raises(DataError, match="the backbone's description is incomplete"):
        ImageEncoder.restore({"name": facts["name"]})


def test_another_backbone_of_that_name_is_refused(vit, tmp_path):
    facts = ImageEncoder(vit).facts()
    other = tiny_backbone(tmp_path / "other", "dinov2")
    with pytest.raises(DataError, match="is not the one that made the features"):
        ImageEncoder.restore(facts, backbone=other)


def test_a_mistyped_path_fails_at_once_and_names_the_nearest(vit, monkeypatch):
    def no_network(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.chdir(vit.parent.parent)
    for name in (f"{vit}s", f"{vit.parent.name}/vitt", "./vitt", "C:\\models\\vit"):
        with pytest.raises(UnknownNameError, match="there is no folder"):
            ImageEncoder(name)
    with pytest.raises(UnknownNameError, match=r"Did you mean .*vit\?"):
        ImageEncoder(f"{vit}s")
    with pytest.raises(DataError, match="config.json is a file"):
        ImageEncoder(vit / "config.json")


def test_a_hub_name_without_network_is_one_line_within_seconds(monkeypatch, tmp_path):
    def no_network(*_, **__):
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    started = time.perf_counter()
    with pytest.raises(DataError, match="the hub does not give an encoder called 'nobody/nothing'"):
        ImageEncoder("nobody/nothing")
    assert time.perf_counter() - started < 10


def test_what_a_model_names_is_looked_for_on_this_machine_alone(vit, tmp_path, monkeypatch):
    from huggingface_hub import constants

    asked = []

    def no_network(*names, **_):
        asked.append(names)
        raise socket.gaierror("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    facts = {**ImageEncoder(vit).facts(), "name": "somebody/vit"}
    with pytest.raises(DataError, match=r"'somebody/vit' is not on this machine, .* with --backbone or --encoder"):
        ImageEncoder.restore(facts)
    assert not asked
    with pytest.raises(DataError, match="the hub does not give"):
        ImageEncoder.restore(facts, backbone="somebody/vit")
    assert asked
    cache = tmp_path / "models--somebody--vit"
    shutil.copytree(vit, cache / "snapshots" / "1234")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("1234")
    assert ImageEncoder.restore(facts).facts() == facts


def test_folders_without_an_encoder_say_what_is_there(tmp_path):
    with pytest.raises(DataError, match="received an empty folder"):
        ImageEncoder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"pytorch_model.bin\). Weights in other forms are not read"):
        ImageEncoder(tmp_path)


def test_a_text_model_is_no_backbone(tmp_path):
    import transformers as tf

    layers = {"num_hidden_layers": 1, "num_attention_heads": 2}
    tf.BertModel(tf.BertConfig(vocab_size=20, hidden_size=8, intermediate_size=8, **layers)).save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"is not an image model .*received bert: no image processor"):
        ImageEncoder(tmp_path)


def test_weights_that_are_missing_are_not_made_up(vit, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(vit, tmp_path / "vit")
    weights = load_file(folder / "model.safetensors")
    dropped = next(name for name in weights if "attention" in name and name.endswith("weight"))
    save_file(
        {name: weight for name, weight in weights.items() if name != dropped},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(DataError, match="the weights of .* are incomplete"):
        ImageEncoder(folder)


def test_code_that_comes_with_a_backbone_is_not_run(vit, tmp_path):
    folder = shutil.copytree(vit, tmp_path / "vit")
    (folder / "code.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\n")
    for name, classes in (
        ("config.json", {"AutoConfig": "code.Config", "AutoModel": "code.Model"}),
        ("preprocessor_config.json", {"AutoImageProcessor": "code.Processor"}),
    ):
        settings = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**settings, "model_type": "own", "auto_map": classes}))
    with pytest.raises(DataError):
        ImageEncoder(folder)
    assert not (tmp_path / "canary").exists()


def test_a_truncated_weight_file_is_one_line(vit, tmp_path):
    folder = shutil.copytree(vit, tmp_path / "vit")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match="cannot be loaded") as caught:
        ImageEncoder(folder)
    assert "\n" not in str(caught.value)


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch, vit):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"python -m pip install 'zslearn\[encoders\]'"):
        ImageEncoder(vit)


def test_the_backbone_travels_with_the_data_into_the_model(toy_dataset, tmp_path):
    from dataclasses import replace

    facts = {"name": "a/b", "sha256": "0" * 64, "pooling": "auto", "precision": "float32", "feature_dim": 20}
    dataset = replace(toy_dataset, backbone=facts, text_encoder={"name": "c/d"})
    assert dataset.facts()["backbone"] == facts
    estimator = GenerativeZSL(settings={"n_updates": 2, "teacher_updates": 2}, rehearse=False)
    estimator.fit_view(dataset.training()).save(tmp_path / "model")
    loaded = GenerativeZSL.load(tmp_path / "model")
    assert (loaded.backbone_, loaded.text_encoder_) == (facts, {"name": "c/d"})


@pytest.mark.slow
def test_real_weights_over_real_photographs_give_the_reference_features(shared_data):
    """64 of Oxford Flowers' photographs against features that the original 8-bit backbone gave."""
    backbone = shared_data.parent / "backbones" / "mobilenet-v1"
    file = scipy.io.loadmat(shared_data / "FLO" / "mobilenet.mat")
    rows = np.random.default_rng(0).choice(file["features"].shape[1], 64, replace=False)
    expected = file["features"][1280:2304, rows].T
    names = [file["image_files"].ravel()[row].item() for row in rows]
    with zipfile.ZipFile(shared_data / "FLO" / "images64.zip") as archive:
        pictures = [open_image(io.BytesIO(archive.read(name)), name) for name in names]
    encoded = ImageEncoder(backbone).encode(pictures)
    cosines = (encoded * expected).sum(1) / np.linalg.norm(encoded, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() >= 0.98
    assert cosines.mean() >= 0.998
