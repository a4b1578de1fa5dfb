import json

import pytest
import torch

from zslearn.errors import RunFolderError
from zslearn.model_files import FACTS_FILE, TENSORS_FILE, read_model, write_model


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "m", {"model": "skd"}, {"w": torch.arange(6.0).reshape(2, 3)})
    return tmp_path / "m"


def test_what_is_written_is_read(folder):
    facts, tensors = read_model(folder)
    assert facts["model"] == "skd"
    assert torch.equal(tensors["w"], torch.arange(6.0).reshape(2, 3))


def change_facts(folder, **changes):
    facts = json.loads((folder / FACTS_FILE).read_text())
    (folder / FACTS_FILE).write_text(json.dumps({**facts, **changes}))


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


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFolderError, match="cannot be written to .*Choose a folder"):
        write_model(tmp_path / "file", {}, {"w": torch.zeros(1)})
