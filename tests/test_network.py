"""The library asks no network for anything unless it is told to, and tells nobody that it is used."""

import socket
import sys

import numpy as np
import pytest

import zslearn
from toy import write_toy_folder
from zslearn.cli import main

TINY = ["--set", "n_updates=4", "teacher_updates=4", "hidden_dim=8", "latent_dim=3"]
_asked = []


@pytest.fixture(scope="module", autouse=True)
def _watch():
    """Hooks cannot be taken away again; this one only listens."""
    sys.addaudithook(lambda event, _: _asked.append(event) if event.startswith("socket.") else None)


@pytest.fixture
def no_network(monkeypatch):
    """Takes the sockets away, and tells who asked for one."""

    def refuse(*arguments, **options):
        raise AssertionError("a socket was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    _asked.clear()
    yield
    assert [event for event in _asked if event != "socket.gethostname"] == []


def test_commands_use_no_network(tmp_path, no_network, capsys):
    data = write_toy_folder(tmp_path / "data", n_train=6, n_test=3)
    assert main(["run", "--data", str(data), "--out", str(tmp_path / "r"), *TINY]) == 0
    np.save(tmp_path / "rows.npy", np.zeros((2, 20), dtype=np.float32))
    for words in (
        ["predict", str(tmp_path / "r"), str(tmp_path / "rows.npy")],
        ["evaluate", str(tmp_path / "r")],
        ["synthesize", str(tmp_path / "r"), "--classes", "kind 1", "-o", str(tmp_path / "x.npz")],
        ["show", "models"],
        ["show", "data"],
    ):
        assert main(words) == 0, capsys.readouterr().err


def test_the_library_uses_no_network(no_network, toy_dataset):
    view = toy_dataset.training()
    names = np.array(view.class_names)
    estimator = zslearn.GenerativeZSL(settings={"n_updates": 3, "teacher_updates": 3}, rehearse=False)
    estimator.fit(view.features, names[view.labels], semantics=dict(zip(names, view.semantics, strict=True)))
    assert len(estimator.predict(view.features[:3])) == 3
