import json
import subprocess
import sys

import pytest
import yaml

from zslearn.locks import LOCK_FILE, FolderLock
from zslearn.models import MODELS

EXPERIMENT = """title: tiny
data: [glyphs]
splits: [1]
rehearse: false
references: false
models:
  - model: skd
    settings: {n_updates: 3, teacher_updates: 3}
"""
TINY = ["--splits", 1, "--seeds", 0, "--set", "n_updates=2", "teacher_updates=2", "--jobs", 2]


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine.yaml").write_text(EXPERIMENT)
    return tmp_path / "mine.yaml"


def refused(answer):
    assert answer.code == 2, answer.out
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    assert answer.err.count("\n") == 1
    return answer.err


def test_experiments_are_listed_shown_and_copied(command, tmp_path):
    listed = json.loads(command("benchmark", "list", "--json").out)
    names = [entry["name"] for entry in listed]
    assert {"quick", "glyphs", "flo", "zoo", "ablation-glyphs"} <= set(names)
    assert all(f"{entry['name']} " in command("benchmark", "list").out for entry in listed)
    shown = command("benchmark", "show", "quick")
    assert yaml.safe_load(shown.out)["models"] == ["all"]
    document = json.loads(command("benchmark", "show", "quick", "--json").out)
    assert {model["model"] for model in document["models"]} == {name for name in MODELS if not MODELS[name].one_space}
    answer = command("benchmark", "copy", "quick", tmp_path / "own.yaml")
    assert answer.code == 0
    assert (tmp_path / "own.yaml").read_text() == shown.out
    assert "exists already" in refused(command("benchmark", "copy", "quick", tmp_path / "own.yaml"))


def test_validate_counts_and_runs_nothing(command, file):
    assert command("benchmark", "validate", file).out == "mine is fine: 1 runs.\n"
    facts = json.loads(command("benchmark", "validate", "glyphs", "--json").out)
    assert (facts["n_runs"], facts["n_searches"], facts["n_trials"]) == (30, 10, 120)
    assert list(file.parent.iterdir()) == [file]


def test_bad_experiments_are_one_line_with_their_place(command, file, tmp_path):
    file.write_text(EXPERIMENT.replace("model: skd", "model: sdk"))
    for verb in ("validate", "run", "show"):
        words = ["benchmark", verb, file] + (["--json"] if verb == "show" else [])
        assert f"{file}, line 7: there is no model called 'sdk'. Did you mean skd?" in refused(command(*words))
    assert "no experiment called 'quik'. Did you mean quick" in refused(command("benchmark", "run", "quik"))
    assert "is not an experiment folder" in refused(command("benchmark", "status", tmp_path))
    assert "Did you mean validate?" in refused(command("benchmark", "valdate", file))
    assert list(tmp_path.iterdir()) == [file]


def test_bad_words_leave_no_folder(command, file, tmp_path):
    out = tmp_path / "out"
    assert "the number of jobs is too small" in refused(command("benchmark", "run", file, "--out", out, "--jobs", 0))
    assert "no such place to log to" in refused(command("benchmark", "run", file, "--out", out, "--log", "x"))
    assert not out.exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert "is not an experiment folder" in refused(command("benchmark", "run", file, "--out", tmp_path / "full"))


def test_ablate_and_sweep_refuse_what_they_cannot_do(command, tmp_path):
    out = ["--out", tmp_path / "out"]
    assert "eszsl has no semantic terms" in refused(command("ablate", "--model", "eszsl", *out))
    assert "no model called 'sdk'" in refused(command("ablate", "--model", "sdk", *out))
    assert "no data set called 'glifs'" in refused(command("ablate", "--data", "glifs", *out))
    assert "some splits are given twice" in refused(command("ablate", "--splits", 1, 1, *out))
    assert "a seed is negative" in refused(command("sweep", "--seeds", -1, *out))
    assert "no such split" in refused(command("sweep", "--splits", "x", *out))
    assert "two arms called 'base'" in refused(command("ablate", "--arm", "base", "sr_weight=2", *out))
    assert "no setting called 'sp_weigth'" in refused(command("sweep", "--field", "sp_weigth", *out))
    assert "do not fit together" in refused(command("sweep", "--values", 1, *out))
    words = ["sweep", "--field", "sp_weight", "--field", "sr_weight", "--values", 1, *out]
    assert "do not fit together" in refused(command(*words))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_another_run_works_in_keeps_its_plan(command, file, tmp_path):
    out, told = tmp_path / "out", dict.fromkeys(("title", "kind", "command"), "")
    plan = json.dumps({"experiment_version": 1, "name": "mine", **told, "jobs": []})
    out.mkdir()
    (out / "experiment.json").write_text(plan)
    lock = FolderLock(out)
    assert "out is in use" in refused(command("benchmark", "run", file, "--out", out))
    lock.release()
    assert (out / "experiment.json").read_text() == plan


@pytest.mark.parametrize(
    "plan", [{}, {"name": "mine", "jobs": [1]}, {"name": "mine", "title": "", "jobs": {}}], ids=str
)
def test_a_plan_that_is_damaged_is_told(command, file, tmp_path, plan):
    out = tmp_path / "out"
    out.mkdir()
    (out / "experiment.json").write_text(json.dumps({"experiment_version": 1, **plan}))
    for words in (["status", out], ["table", out], ["run", file, "--out", out]):
        assert "experiment.json is damaged" in refused(command("benchmark", *words))


def test_help_needs_no_torch():
    code = (
        "import sys; from zslearn.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'sklearn', 'optuna', 'ray', 'rich'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    for words in (["benchmark", "--help"], ["benchmark", "run", "--help"], ["ablate", "--help"], ["sweep", "--help"]):
        ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
def test_run_status_and_run_again(command, file, tmp_path):
    out = tmp_path / "out"
    answer = command("benchmark", "run", file, "--out", out, "--log", f"jsonl:{tmp_path / 'log.jsonl'}", "--json")
    assert answer.code == 0, answer.err
    result = json.loads(answer.out)
    assert result["counts"] == {"finished": 1, "failed": 0, "missing": 0}
    row = result["groups"][0]["rows"][0]
    assert (row["name"], row["n_finished"]) == ("skd", 1)
    logged = json.loads((tmp_path / "log.jsonl").read_text())["metrics"]
    assert logged["glyphs split 1 skd seed 0/ausuc"] == row["metrics"]["ausuc"]["mean"]
    plan = json.loads((out / "experiment.json").read_text())
    assert plan["command"].startswith(f"zslearn benchmark run {file} --out {out}")
    status = json.loads(command("benchmark", "status", out, "--json").out)
    assert status["jobs"][0]["metrics"]["ausuc"] == row["metrics"]["ausuc"]["mean"]
    assert not (out / LOCK_FILE).exists()
    assert "finished, T1" in command("benchmark", "status", out).out
    (out / "records" / f"{plan['jobs'][0]['key']}.json").unlink()
    answer = command("benchmark", "status", out)
    assert "0 finished, 0 failed, 1 missing" in answer.out
    assert "go on with: zslearn benchmark run" in answer.err
    again = command("benchmark", "run", file, "--out", out)
    assert again.code == 0
    assert "skd" in again.out
    assert f"Experiment folder: {out}" in again.out


@pytest.mark.slow
def test_ablate_runs_the_arms_and_prints_paired_gains(command, tmp_path):
    answer = command("ablate", *TINY, "--controls", "--arm", "wide", "hidden_dim=600", "--out", tmp_path / "a")
    assert answer.code == 0, answer.err
    for row in ("SR+SP+KD", "base", "teacher: plain", "permuted unseen semantics", "real unseen samples", "wide"):
        assert f"\n{row} " in answer.out
    assert "KD, averaged over the other parts" in answer.out
    plan = json.loads((tmp_path / "a" / "experiment.json").read_text())
    assert plan["kind"] == "ablation"
    arms = {job["arm"]: job for job in plan["jobs"]}
    assert arms["wide"]["settings"]["hidden_dim"] == 600
    assert arms["real unseen samples"]["marks"]["control"] == "real unseen samples"
    record = json.loads((tmp_path / "a" / "records" / f"{arms['real unseen samples']['key']}.json").read_text())
    assert record["setting"]["samples"] == "labelled unseen test samples"


@pytest.mark.slow
def test_sweep_runs_one_field_at_a_time(command, tmp_path):
    words = ["sweep", *TINY, "--field", "n_synthetic", "--values", 5, 10, "--out", tmp_path / "s", "--json"]
    answer = command(*words)
    assert answer.code == 0, answer.err
    groups = json.loads(answer.out)["groups"]
    assert [row["name"] for row in groups[0]["rows"]] == ["as set", "n_synthetic = 5", "n_synthetic = 10"]
    plan = json.loads((tmp_path / "s" / "experiment.json").read_text())
    assert [job["marks"].get("value") for job in plan["jobs"]] == [None, 5, 10]
