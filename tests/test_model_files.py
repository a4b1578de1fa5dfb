import json
import shutil
import signal

import pytest
import torch
from safetensors.torch import save_file

from zslearn.errors import RunFolderError
from zslearn.model_files import FACTS_FILE, TENSORS_FILE, read_model, write_model

FACTS = {
    "model": "skd",
    "settings": {"hidden_dim": 4},
    "seed": 0,
    "rehearse": True,
    "feature_space": "whitened",
    "feature_dim": 3,
    "image_shape": None,
    "classes": ["a", "b"],
    "seen": ["a"],
    "added": [],
    "rehearsal": None,
}


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "m", FACTS, {"w": torch.arange(6.0).reshape(2, 3)})
    return tmp_path / "m"


def test_what_is_written_is_read(folder):
    facts, tensors = read_model(folder)
    assert facts["model"] == "skd"
    assert torch.equal(tensors["w"], torch.arange(6.0).reshape(2, 3))


def change_facts(folder, **changes):
    facts = json.loads((folder / FACTS_FILE).read_text())
    (folder / FACTS_FILE).write_text(json.dumps({**facts, **changes}))


def test_tensors_of_any_form_are_read_as_they_were(tmp_path):
    tensors = {
        "repeated": torch.tensor([3]).as_strided((1,), (0,)),
        "none": torch.empty(0, 3),
        "number": torch.tensor(2.5, dtype=torch.float16),
        "flags": torch.tensor([True, False]),
        "columns": torch.arange(6).reshape(2, 3).T,
    }
    write_model(tmp_path / "m", FACTS, tensors)
    _, found = read_model(tmp_path / "m")
    assert found.keys() == tensors.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype for name, tensor in tensors.items()
    )


def test_missing_models_are_named(tmp_path):
    with pytest.raises(RunFolderError, match="there is no model in .*expected model.json and model.safetensors"):
        read_model(tmp_path)


def test_future_versions_are_refused_with_the_remedy(folder):
    change_facts(folder, version=99)
    with pytest.raises(RunFolderError, match="another version .*expected 1; received 99.*Use the version"):
        read_model(folder)


def test_foreign_json_is_refused(folder):
    change_facts(folder, format="something else")
    with pytest.raises(RunFolderError, match="is not a zslearn model"):
        read_model(folder)


@pytest.mark.parametrize("name", [FACTS_FILE, TENSORS_FILE])
def test_damaged_files_are_refused(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RunFolderError, match="cannot be read"):
        read_model(folder)


def test_numbers_of_a_type_that_no_model_has_are_refused(folder):
    digest = json.loads((folder / FACTS_FILE).read_text())["tensors"]
    save_file({"w": torch.zeros(2, dtype=torch.bfloat16)}, folder / TENSORS_FILE, {"zslearn": f"{digest} {{}}"})
    with pytest.raises(RunFolderError, match="cannot be read .*'w' has no usable type"):
        read_model(folder)


@pytest.mark.parametrize(
    "changed", [torch.tensor([[0.0, 1, 2], [3, 4, 6]]), torch.arange(6.0).view(2, 3).view(torch.int32)]
)
def test_tensors_that_are_not_those_that_were_saved_are_refused(folder, changed):
    digest = json.loads((folder / FACTS_FILE).read_text())["tensors"]
    save_file({"w": changed}, folder / TENSORS_FILE, {"zslearn": f"{digest} {{}}"})
    with pytest.raises(RunFolderError, match="cannot be read .*content does not match its digest"):
        read_model(folder)


def test_tensors_without_a_digest_are_refused(folder):
    save_file({"w": torch.zeros(2)}, folder / TENSORS_FILE)
    change_facts(folder, tensors=None)
    with pytest.raises(RunFolderError, match="cannot be read .*content does not match its digest"):
        read_model(folder)


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFolderError, match="cannot be written to .*Choose a folder"):
        write_model(tmp_path / "file", {}, {"w": torch.zeros(1)})


def test_a_full_disk_leaves_the_old_model(folder, other):
    resource = pytest.importorskip("resource", reason="Windows limits no files")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    facts, tensors = read_model(other)
    limit, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, limit[1]))
    try:
        with pytest.raises(RunFolderError, match="cannot be written to .*on a disk with space"):
            write_model(folder, facts, tensors)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.fixture
def other(tmp_path):
    """Another model, as its writer leaves it."""
    write_model(tmp_path / "other", {**FACTS, "model": "other"}, {"w": torch.ones(4)})
    return tmp_path / "other"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_writer_that_was_killed_before_the_facts_leaves_the_old_model(folder, other):
    shutil.copy(other / TENSORS_FILE, folder / "model.next.safetensors")
    facts, tensors = read_model(folder)
    assert facts["model"] == "skd"
    assert tensors["w"].shape == (2, 3)


def test_a_writer_that_was_killed_after_the_facts_leaves_the_new_model(folder, other):
    shutil.copy(other / TENSORS_FILE, folder / "model.next.safetensors")
    shutil.copy(other / FACTS_FILE, folder)
    facts, tensors = read_model(folder)
    assert facts["model"] == "other"
    assert tensors["w"].shape == (4,)


@pytest.mark.parametrize("killed_after_the_facts", [False, True])
def test_the_next_writer_tidies_up(folder, other, killed_after_the_facts):
    shutil.copy(other / TENSORS_FILE, folder / "model.next.safetensors")
    if killed_after_the_facts:
        shutil.copy(other / FACTS_FILE, folder)
    with pytest.raises(ValueError, match="JSON"):
        write_model(folder, {**FACTS, "score": float("nan")}, {"w": torch.zeros(1)})
    assert read_model(folder)[0]["model"] == ("other" if killed_after_the_facts else "skd")
    write_model(folder, FACTS, {"w": torch.zeros(1)})
    assert read_model(folder)[1]["w"].shape == (1,)
    assert names(folder) == [FACTS_FILE, TENSORS_FILE]


def test_facts_and_tensors_of_different_models_are_refused(folder, other):
    shutil.copy(other / TENSORS_FILE, folder)
    with pytest.raises(RunFolderError, match="model.json and model.safetensors are of different models"):
        read_model(folder)
