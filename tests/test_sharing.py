"""Model repositories: what is pushed can be pulled, says what it is, and is checked first."""

import inspect
import json
import re
import shutil
import sys
from types import ModuleType

import numpy as np
import pytest
import yaml

from toy import write_toy_folder
from zslearn import GenerativeZSL
from zslearn.cli import main

TINY = ["--set", "n_updates=4", "teacher_updates=4", "hidden_dim=8", "latent_dim=3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sharing")
    data = write_toy_folder(folder / "flowers of mine", n_train=6, n_test=3)
    assert main(["run", "--data", str(data), "--out", str(folder / "run"), *TINY]) == 0
    return folder / "run"


def test_a_pulled_model_gives_the_same_bits(made, tmp_path, capsys):
    assert main(["push", str(made), str(tmp_path / "repository")]) == 0
    assert main(["pull", str(tmp_path / "repository"), "-o", str(tmp_path / "pulled")]) == 0
    assert "16 seen and 4 unseen classes, checked" in capsys.readouterr().out
    rows = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    first, second = (GenerativeZSL.load(folder).decision_scores(rows) for folder in (made, tmp_path / "pulled"))
    np.testing.assert_array_equal(first, second)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_model_is_pulled_into_the_folder_where_one_stands(made, tmp_path, monkeypatch):
    assert main(["push", str(made), str(tmp_path / "repository")]) == 0
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["pull", str(tmp_path / "repository"), "-o", "."]) == 0
    files = [sorted(path.name for path in (tmp_path / name).iterdir()) for name in ("here", "repository")]
    assert files[0] == files[1]
    assert GenerativeZSL.load(tmp_path / "here").classes_.size == 20


def test_the_card_is_the_record(made, tmp_path):
    assert main(["push", str(made), str(tmp_path / "repository"), "--license", "mit"]) == 0
    card = (tmp_path / "repository" / "README.md").read_text()
    record = json.loads((made / "record.json").read_text())
    _, front, body = card.split("---\n", 2)
    metadata = yaml.safe_load(front)
    assert (metadata["license"], metadata["library_name"]) == ("mit", "zslearn")
    (result,) = metadata["model-index"][0]["results"]
    shown = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert shown["h"] == pytest.approx(record["metrics_corrected"]["h"], abs=1e-4)
    assert f"| {100 * record['metrics']['t1']:.1f} |" in body
    assert "samples: inductive" in body
    assert "zslearn run --data 'flowers of mine'" in body


def test_no_folder_of_this_machine_goes_out(made, tmp_path):
    run = shutil.copytree(made, tmp_path / "run")
    encoders = {kind: {"name": str(made.parent / kind)} for kind in ("backbone", "text_encoder")}
    facts, record = (json.loads((run / name).read_text()) for name in ("model.json", "record.json"))
    (run / "model.json").write_text(json.dumps({**facts, **encoders}))
    data = {**record["data"], **encoders, "source": str(made.parent / "camera")}
    (run / "record.json").write_text(json.dumps({**record, "data": data}))
    assert main(["push", str(run), str(tmp_path / "repository")]) == 0
    for path in (tmp_path / "repository").iterdir():
        assert str(made.parent).encode() not in path.read_bytes(), path.name
    shared = json.loads((tmp_path / "repository" / "record.json").read_text())["data"]
    assert shared["asked_for"]["data"] == "flowers of mine"
    assert (shared["backbone"], shared["source"]) == ({"name": "backbone"}, "camera")


def test_classes_may_be_called_like_paths(made, tmp_path):
    run = shutil.copytree(made, tmp_path / "run")
    for name in ("model.json", "record.json"):
        text = (run / name).read_text()
        (run / name).write_text(text.replace('"kind 1"', '"/a/x"').replace('"kind 2"', '"/b/x"'))
    assert main(["push", str(run), str(tmp_path / "repository")]) == 0
    assert main(["pull", str(tmp_path / "repository"), "-o", str(tmp_path / "pulled")]) == 0
    pulled = GenerativeZSL.load(tmp_path / "pulled")
    assert pulled.classes_[:3].tolist() == ["kind 0", "/a/x", "/b/x"]
    assert '"/b/x"' in (tmp_path / "pulled" / "record.json").read_text()


def test_a_repository_is_replaced_and_anything_else_is_refused(made, tmp_path, capsys):
    for _ in range(2):
        assert main(["push", str(made), str(tmp_path / "repository")]) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "letters.txt").write_text("mine")
    assert main(["push", str(made), str(other)]) == 2
    assert main(["pull", str(tmp_path / "repository"), "-o", str(other)]) == 2
    assert capsys.readouterr().err.count("exists already") == 2
    assert [path.name for path in other.iterdir()] == ["letters.txt"]


@pytest.mark.parametrize("front", ["", "---\nlicense: mit\n---\n", "# Mine\n---\nlibrary_name: zslearn\n---\n"])
def test_a_checkout_of_something_else_is_refused(made, tmp_path, capsys, front):
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").write_text(f"{front}my project\n")
    assert main(["push", str(made), str(tmp_path)]) == 2
    assert "exists already and is not a model repository" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [".git", "README.md"]
    assert (tmp_path / "README.md").read_text() == f"{front}my project\n"


def test_a_checkout_without_files_becomes_a_repository(made, tmp_path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitattributes").write_text("*.safetensors filter=lfs\n")
    assert main(["push", str(made), str(tmp_path)]) == 0
    assert GenerativeZSL.load(tmp_path).classes_.size == 20


def test_another_run_is_refused(made, tmp_path, capsys):
    other = shutil.copytree(made, tmp_path / "other")
    before = {path.name: path.read_bytes() for path in other.iterdir()}
    assert main(["push", str(made), str(other)]) == 2
    assert "exists already and is not a model repository" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in other.iterdir()} == before


def test_who_reads_a_repository_while_it_is_replaced_has_the_old_model(made, tmp_path):
    assert main(["push", str(made), str(tmp_path / "repository")]) == 0
    tensors = tmp_path / "repository" / "model.safetensors"
    tensors.write_bytes(b"old")
    with tensors.open("rb") as reader:
        assert main(["push", str(made), str(tmp_path / "repository")]) == 0
        assert reader.read() == b"old"
    assert tensors.read_bytes() == (made / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut", "error: the model in {} cannot be read"),
        ("no tensors", "error: there is no model in {} (expected .*; received no model.safetensors)"),
        ("nothing", "error: there is no model in {} (expected .*; received no folder of that name)"),
    ],
)
def test_a_damaged_repository_is_named_and_leaves_no_folder(made, tmp_path, capsys, damage, message):
    repository = tmp_path / "repository"
    assert main(["push", str(made), str(repository)]) == 0
    if damage == "cut":
        content = (repository / "model.safetensors").read_bytes()
        (repository / "model.safetensors").write_bytes(content[:-40])
    elif damage == "no tensors":
        (repository / "model.safetensors").unlink()
    else:
        shutil.rmtree(repository)
    assert main(["pull", str(repository), "-o", str(tmp_path / "pulled")]) == 2
    pattern = re.escape(message.format(repository)).replace(re.escape(".*"), ".*")
    assert re.match(pattern, capsys.readouterr().err)
    assert not (tmp_path / "pulled").exists()


class RepositoryNotFoundError(OSError):
    """What the hub's client raises."""


class Hub(ModuleType):
    """Stands for the hub's client: repositories are folders, calls are kept as they came."""

    def __init__(self, root):
        super().__init__("huggingface_hub")
        self.root = root
        self.calls = []
        for name in ("create_repo", "upload_folder", "snapshot_download"):
            setattr(self, name, self._kept(name, getattr(self, f"_{name}")))

    def _kept(self, name, function):
        def call(*arguments, **keywords):
            self.calls.append((name, arguments, keywords))
            return function(*arguments, **keywords)

        return call

    def _create_repo(self, repo_id, *, exist_ok=False):
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub/{repo_id}"

    def _upload_folder(self, *, repo_id, folder_path, commit_message=None):
        shutil.copytree(folder_path, self._there(repo_id), dirs_exist_ok=True)

    def _snapshot_download(self, repo_id, *, allow_patterns=None, local_dir=None):
        for path in self._there(repo_id).iterdir():
            if any(path.match(pattern) for pattern in allow_patterns):
                local_dir.mkdir(exist_ok=True)
                shutil.copy(path, local_dir)
        return str(local_dir)

    def _there(self, repo_id):
        if not (self.root / repo_id).is_dir():
            raise RepositoryNotFoundError("401 Client Error.\n\nRepository Not Found for url: https://hub/api")
        return self.root / repo_id


@pytest.fixture
def hub(tmp_path, monkeypatch):
    client = Hub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return client


def test_a_model_goes_to_a_hub_and_comes_back(made, tmp_path, hub, capsys):
    for _ in range(2):
        assert main(["push", str(made), "hub:me/letters", "--license", "mit"]) == 0
    assert "https://hub/me/letters" in capsys.readouterr().out
    there = hub.root / "me" / "letters"
    assert "license: mit" in (there / "README.md").read_text()
    (there / "setup.py").write_text("raise SystemExit")
    assert main(["pull", "hub:me/letters", "-o", str(tmp_path / "pulled")]) == 0
    pulled = {path.name for path in (tmp_path / "pulled").iterdir()}
    assert pulled == {path.name for path in there.iterdir()} - {"setup.py"}
    rows = np.random.default_rng(0).normal(size=(5, 20)).astype(np.float32)
    first, second = (GenerativeZSL.load(folder).decision_scores(rows) for folder in (made, tmp_path / "pulled"))
    np.testing.assert_array_equal(first, second)
    assert not list(tmp_path.glob(".*"))


def test_what_is_asked_of_the_hub_is_what_its_client_takes(made, tmp_path, hub, monkeypatch):
    assert main(["push", str(made), "hub:me/letters"]) == 0
    assert main(["pull", "hub:me/letters", "-o", str(tmp_path / "pulled")]) == 0
    monkeypatch.undo()
    client = pytest.importorskip("huggingface_hub", reason="needs the extra hub")
    assert [name for name, _, _ in hub.calls] == ["create_repo", "upload_folder", "snapshot_download"]
    for name, arguments, keywords in hub.calls:
        inspect.signature(getattr(client, name)).bind(*arguments, **keywords)


def test_what_a_hub_does_not_serve_is_one_line(made, tmp_path, hub, capsys):
    assert main(["pull", "hub:me/none", "-o", str(tmp_path / "pulled")]) == 2
    (hub.root / "me").mkdir(parents=True)
    (hub.root / "me" / "letters").touch()
    assert main(["push", str(made), "hub:me/letters"]) == 2
    (hub.root / "me" / "empty").mkdir()
    assert main(["pull", "hub:me/empty", "-o", str(tmp_path / "pulled")]) == 2
    unserved, refused, empty = capsys.readouterr().err.splitlines()
    assert unserved.startswith(
        "error: the hub does not serve me/none (received RepositoryNotFoundError: 401 Client Error.). Check the name"
    )
    assert refused.startswith("error: the hub does not serve me/letters (received FileExistsError: ")
    assert empty.startswith("error: there is no model in hub:me/empty (expected ")
    assert not (tmp_path / "pulled").exists()
    assert not list(tmp_path.glob(".*"))


def test_without_the_client_of_the_hub_its_extra_is_named(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["push", str(made), "hub:me/letters"]) == 2
    assert main(["pull", "hub:me/letters", "-o", str(tmp_path / "pulled")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all("python -m pip install 'zslearn[hub]'" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_a_hub_is_asked_only_by_its_full_name(made, capsys):
    assert main(["push", str(made), "hub:letters"]) == 2
    assert "expected hub:OWNER/NAME" in capsys.readouterr().err


def test_a_run_that_did_not_finish_is_not_pushed(made, tmp_path, capsys):
    folder = shutil.copytree(made, tmp_path / "run")
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "status": "interrupted"}))
    assert main(["push", str(folder), str(tmp_path / "repository")]) == 2
    assert "did not finish" in capsys.readouterr().err
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("damage", [{"model": None}, {"command": 3}, {"data": []}])
def test_a_run_with_a_damaged_record_is_not_pushed(made, tmp_path, capsys, damage):
    run = shutil.copytree(made, tmp_path / "run")
    record = {**json.loads((run / "record.json").read_text()), **damage}
    (run / "record.json").write_text(json.dumps({name: value for name, value in record.items() if value is not None}))
    assert main(["push", str(run), str(tmp_path / "pushed")]) == 2
    assert "is damaged (expected all that 'zslearn run' writes" in capsys.readouterr().err
    assert not (tmp_path / "pushed").exists()
