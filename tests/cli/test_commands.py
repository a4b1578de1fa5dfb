import csv
import io
import json
import shlex
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from zslearn import GenerativeZSL, __version__, load_data
from zslearn.evaluation.protocol import measure

TINY = ["--set", "n_updates=5", "teacher_updates=5", "classifier_epochs=1"]
FIVE = {"t1", "u", "s", "h", "ausuc"}


def test_a_run_folder_holds_what_it_promises(finished, record):
    folder, _ = finished
    assert {path.name for path in folder.iterdir()} == {
        "record.json",
        "sheet.json",
        "model.json",
        "model.safetensors",
        "history.jsonl",
        "training.png",
        "seen-unseen.png",
        "map.png",
        "drawn.png",
    }
    assert record["status"] == "finished"
    assert set(record["metrics"]) == set(record["metrics_corrected"]) == FIVE
    assert all(set(figures) == FIVE | {"corrected"} for figures in record["references"].values())
    assert record["data"]["name"] == "glyphs"
    assert record["data"]["split"] == "1"
    assert record["config"]["n_updates"] == 5
    assert all((folder / name).read_bytes().startswith(b"\x89PNG") for name in record["pictures"])


def test_the_recorded_figures_are_those_of_the_saved_model(finished, record):
    estimator = GenerativeZSL.load(finished[0])
    test = load_data("glyphs", split=1).test()
    measured = measure(estimator.decision_scores(test.features, corrected=False), test, estimator.offset_)
    assert measured.plain.as_dict() == record["metrics"]
    assert measured.corrected.as_dict() == record["metrics_corrected"]


def test_the_table_shows_the_recorded_figures(finished, record):
    folder, answer = finished
    table = answer.out.split("---\n")[1].split("\n\n")[0]
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    plain, corrected = record["metrics"], record["metrics_corrected"]
    expected = [f"{100 * plain[key]:.1f}" for key in ("t1", "u", "s", "h")]
    expected += [f"{plain['ausuc']:.3f}", *[f"{100 * corrected[key]:.1f}" for key in ("u", "s", "h")]]
    assert [cell for cell in rows["skd"] if cell != "*"] == expected
    assert set(rows) == {"skd", *record["references"]}
    assert sum(cells[-1] == "*" for cells in rows.values()) == 1
    assert str(folder / "drawn.png") in answer.out


@pytest.mark.slow
def test_the_recorded_command_does_the_run_again(command, record, tmp_path):
    words = shlex.split(record["command"])
    assert words[:2] == ["zslearn", "run"]
    again = json.loads(command(*words[1:], "--out", tmp_path / "again", "--json").out)
    for part in ("metrics", "metrics_corrected", "config", "per_class", "diagnostics"):
        assert again[part] == record[part]


def test_history_is_one_report_a_line(finished):
    entries = [json.loads(line) for line in (finished[0] / "history.jsonl").read_text().splitlines()]
    assert {entry["part"] for entry in entries} == set(range(10))
    assert {entry["stage"] for entry in entries} == {"teacher", "generative"}


def test_evaluate_measures_the_same_again(command, finished, record):
    answer = command("evaluate", finished[0], "--json")
    assert answer.code == 0
    result = json.loads(answer.out)
    assert result["metrics"] == record["metrics"]
    assert result["metrics_corrected"] == record["metrics_corrected"]
    other = command("evaluate", finished[0], "--split", 2)
    assert other.code == 2
    assert "does not fit the run" in other.err


@pytest.fixture
def rows(tmp_path):
    test = load_data("glyphs", split=1).test()
    np.save(tmp_path / "rows.npy", test.features[:40])
    return tmp_path / "rows.npy", test.features[:40]


def test_predict_writes_what_the_estimator_predicts(command, finished, rows, tmp_path):
    path, features = rows
    estimator = GenerativeZSL.load(finished[0])
    answer = command("predict", finished[0], path)
    lines = list(csv.DictReader(io.StringIO(answer.out)))
    assert list(lines[0]) == ["row", "label", "score", "seen"]
    assert [line["label"] for line in lines] == estimator.predict(features).tolist()
    shares = estimator.predict_proba(features).max(axis=1)
    np.testing.assert_allclose([float(line["score"]) for line in lines], shares, atol=1e-6)
    seen = set(estimator.seen_classes_)
    assert [line["seen"] for line in lines] == [str(line["label"] in seen).lower() for line in lines]
    command("predict", finished[0], path, "-o", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == answer.out


def test_predict_minds_candidates_and_correction(command, finished, rows):
    path, features = rows
    estimator = GenerativeZSL.load(finished[0])
    unseen = json.loads(command("predict", finished[0], path, "--candidates", "unseen", "--json").out)
    assert [row["label"] for row in unseen] == estimator.predict(features, "unseen").tolist()
    plain = json.loads(command("predict", finished[0], path, "--uncorrected", "--json").out)
    assert [row["label"] for row in plain] == estimator.predict(features, corrected=False).tolist()


def test_synthesize_writes_samples_by_name(command, finished, tmp_path):
    answer = command("synthesize", finished[0], "--classes", "B, 8", "-n", 3, "-o", tmp_path / "x.npz")
    assert answer.code == 0
    with np.load(tmp_path / "x.npz", allow_pickle=False) as drawn:
        assert drawn["labels"].tolist() == ["B"] * 3 + ["8"] * 3
        expected = GenerativeZSL.load(finished[0]).synthesize(["B", "8"], 3)
        np.testing.assert_array_equal(drawn["features"], expected.reshape(6, -1))


def test_show_lists_models_and_data(command):
    models = json.loads(command("show", "models", "--json").out)
    assert {"name", "year", "family", "source", "line"} == set(models[0])
    skd = json.loads(command("show", "models", "skd", "--json").out)
    weight = next(field for field in skd["fields"] if field["name"] == "sp_weight")
    assert weight["allowed"] == "a number in [0, inf]"
    assert weight["meaning"].startswith("Weight of semantic preservation")
    facts = json.loads(command("show", "data", "glyphs", "--json").out)
    assert (facts["n_seen"], facts["n_unseen"], facts["feature_dim"]) == (28, 8, 256)
    assert "glyphs" in command("show", "data").out
    assert "sp_weight = 1.0" in command("show", "models", "skd").out


def test_show_tells_published_figures_with_their_sources(command):
    assert "AWA2  94" in command("show", "published").out
    facts = json.loads(command("show", "published", "awa2", "--json").out)
    assert facts["name"] == "AWA2"
    assert set(facts["sources"]) == {row["source"] for row in facts["rows"]}
    table = command("show", "published", "AWA2").out
    assert len([line for line in table.splitlines() if "resnet101" in line]) == 86
    assert "h-differs: the printed H does not follow" in table
    answer = command("show", "published", "AWA3")
    assert (answer.code, answer.out) == (2, "")
    assert "no data set with published figures called 'AWA3'. Did you mean AWA2 or AWA1?" in answer.err


def test_json_is_all_that_run_prints(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = command("run", "--split", 1, "--json", *TINY)
    result = json.loads(answer.out)
    assert result["folder"] == "runs/glyphs-split1-skd-s0"
    again = json.loads(command("run", "--split", 1, "--json", *TINY).out)
    assert again["folder"] == "runs/glyphs-split1-skd-s0-2"
    assert again["metrics"] == result["metrics"]


def test_settings_precede_the_file_which_precedes_the_defaults(command, tmp_path):
    (tmp_path / "s.yaml").write_text("n_updates: 3\nteacher_updates: 4\nlearning_rate: 1e-4\n")
    words = ["run", "--split", 1, "--config", tmp_path / "s.yaml", "--set", "n_updates=6", "--out", tmp_path / "r"]
    record = json.loads(command(*words, "--json").out)
    assert record["config"]["n_updates"] == 6
    assert record["config"]["teacher_updates"] == 4
    assert record["config"]["learning_rate"] == 1e-4
    assert record["config"]["batch_size"] == 128


def test_help_and_version_need_no_torch():
    code = (
        "import sys; from zslearn.cli import main; code = main(sys.argv[1:]);"
        "heavy = {'torch', 'numpy', 'sklearn', 'matplotlib', 'rich'} & set(sys.modules);"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)"
    )
    for words in (["--help"], ["--version"], ["run", "--help"], ["show", "models"]):
        ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert __version__ in ended.stdout or "zslearn" in ended.stdout or "skd" in ended.stdout


def test_an_interrupted_run_says_so(tmp_path):
    folder = tmp_path / "r"
    words = [sys.executable, "-m", "zslearn", "run", "--split", "1", "--out", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (folder / "history.jsonl").exists() and (folder / "history.jsonl").stat().st_size:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"Go on with: zslearn run --resume {folder}" in err
    assert "Traceback" not in err
    assert out == ""
    assert json.loads((folder / "record.json").read_text())["status"] == "interrupted"


def test_an_interrupted_run_cannot_be_evaluated(command, tmp_path):
    (tmp_path / "record.json").write_text('{"status": "interrupted"}')
    answer = command("evaluate", tmp_path)
    assert answer.code == 2
    assert "did not finish (expected status finished; received status interrupted)" in answer.err


def test_a_closed_form_runs_without_history_or_generator(command, tmp_path):
    folder = tmp_path / "r"
    answer = command("run", "--model", "eszsl", "--split", 1, "--out", folder)
    assert answer.code == 0, answer.err
    assert {path.name for path in folder.iterdir()} == {
        "record.json",
        "model.json",
        "model.safetensors",
        "sheet.json",
        "seen-unseen.png",
    }
    record = json.loads((folder / "record.json").read_text())
    assert record["pictures"] == ["seen-unseen.png"]
    assert record["setting"]["unseen_semantics_in_training"] is False
    assert set(record["references"]) >= {"eszsl", "ridge-cosine"}
    assert json.loads(command("evaluate", folder, "--json").out)["metrics"] == record["metrics"]
    refused = command("synthesize", folder, "--classes", "J", "-o", tmp_path / "x.npz")
    assert refused.code == 2
    assert "'eszsl' has no generator" in refused.err
    assert not (tmp_path / "x.npz").exists()


def test_models_are_listed_in_columns(command):
    lines = command("show", "models").out.splitlines()
    entries = json.loads(command("show", "models", "--json").out)
    for key in ("year", "family", "source", "line"):
        places = {line.index(str(entry[key])) for line, entry in zip(lines, entries, strict=True)}
        assert len(places) == 1, key


def test_a_training_that_runs_out_of_time_says_so(command, tmp_path):
    folder = tmp_path / "r"
    answer = command("run", "--model", "teacher", "--split", 1, "--out", folder, "--set", "max_seconds=0.001")
    assert answer.code == 0, answer.err
    record = json.loads((folder / "record.json").read_text())
    updates = record["updates"]["embedding"]
    assert 1 <= updates["done"] < updates["planned"] == 1000
    assert f"time was up in stage embedding after {updates['done']} of 1000 steps" in answer.out
