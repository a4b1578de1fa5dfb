"""The commands and the code of the page on scale do what they say."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest

import zslearn
from own import own_folder
from pages import Page, shortened
from zslearn.cli import main

PAGE = Page("docs/scale.md")


@pytest.mark.docs
def test_every_command_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.load(own_folder(tmp_path / "FOLDER") / "features.npy"))
    assert len(PAGE.lines) == 5
    for line in PAGE.lines:
        program, *words = shlex.split(line)
        if program == "zslearn":
            assert main(shortened(words) if "--resume" not in words else words) == 0, line
            continue
        options, _, words = " ".join(words).partition(" -m zslearn ")
        launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", *options.split(), "-m", "zslearn"]
        assert subprocess.run([*launch, *shortened(words.split())], check=False).returncode == 0
    capsys.readouterr()
    assert len((tmp_path / "answers.csv").read_text().splitlines()) == 1 + len(np.load("rows.npy"))
    assert json.loads((tmp_path / "three-seeds" / "seeds.json").read_text())["seeds"] == [0, 1, 2]
    record = json.loads((tmp_path / "together" / "record.json").read_text())
    assert record["hardware"]["processes"] == 2


@pytest.mark.cluster
@pytest.mark.timeout(600)
# Ray and what it starts warn of their own future and leave sockets to the garbage collector.
@pytest.mark.filterwarnings("ignore")
def test_rows_are_scored_on_a_cluster(toy_dataset, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="needs the extra cluster")
    pytest.importorskip("ray.data", reason="needs the extra cluster")
    import pyarrow as pa
    from pyarrow import parquet

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    estimator = zslearn.GenerativeZSL("eszsl", rehearse=False).fit_view(toy_dataset.training())
    estimator.save(tmp_path / "my-run")
    features = np.concatenate([toy_dataset.features] * 3)
    (tmp_path / "rows").mkdir()
    for part, ids in enumerate(np.array_split(np.arange(len(features)), 4)):
        table = pa.table({"id": ids, "features": list(features[ids])})
        parquet.write_table(table, tmp_path / "rows" / f"{part}.parquet")
    paths = {"PYTHONPATH": os.pathsep.join(sys.path)}
    (code,) = PAGE.blocks("python")
    code = code.replace('"my-run"', repr(str(tmp_path / "my-run")))
    code = code.replace('"rows")', f"{str(tmp_path / 'rows')!r})").replace(
        '"answers")', f"{str(tmp_path / 'answers')!r})"
    )
    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": paths})
    try:
        exec(code, {"__name__": "__main__"})
    finally:
        ray.shutdown()
    answers = parquet.read_table(tmp_path / "answers").sort_by("id")
    names, shares = estimator.predict_top(features, 1)
    assert answers["id"].to_pylist() == list(range(len(features)))
    assert answers["label"].to_pylist() == names[:, 0].tolist()
    np.testing.assert_allclose(answers["score"].to_numpy(), shares[:, 0])
