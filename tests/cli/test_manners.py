"""How the command line behaves at a terminal: completion, quiet, colours, interrupts, names with commas."""

import argparse
import os
import pty
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

from zslearn.cli import build_parser, leaves
from zslearn.cli.arguments import split_names
from zslearn.cli.completion import SHELLS

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-9](;[0-9]+)*m")


@pytest.fixture(scope="module")
def commands():
    parser = build_parser()
    (below,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return below.choices


def test_every_command_gives_an_example_and_its_defaults(commands):
    for name, parser in commands.items():
        assert parser.epilog.startswith("Example: zslearn "), name
        for leaf in leaves(parser):
            for action in leaf._actions:
                if action.option_strings and action.default not in (None, False, [], argparse.SUPPRESS):
                    assert "default" in action.help, (leaf.prog, action.option_strings)


def everything_from(terminal):
    """What is written to a terminal until nobody has it open any more."""
    written = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        written += part
    os.close(terminal)
    return written.decode(errors="replace")


def completions(script, *words):
    """What bash offers for the last of the words."""
    program = (
        f'source {script}; COMP_WORDS=(zslearn "$@"); COMP_CWORD=$#; _zslearn; printf \'%s\\n\' "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", program, "bash", *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.fixture
def bash_script(command, tmp_path):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    (tmp_path / "completion.bash").write_text(command("--print-completion", "bash").out)
    return tmp_path / "completion.bash"


def test_bash_completes_commands_options_and_choices(bash_script, commands):
    assert completions(bash_script, "") == list(commands)
    assert completions(bash_script, "cl") == ["classes"]
    assert completions(bash_script, "predict", "run", "--cand") == ["--candidates"]
    assert completions(bash_script, "predict", "run", "--candidates", "") == ["all", "seen", "unseen"]
    assert completions(bash_script, "classes", "run", "dr") == ["drop"]
    assert completions(bash_script, "--print-completion", "") == list(SHELLS)


def test_bash_completes_files(bash_script, tmp_path):
    (tmp_path / "features.npy").touch()
    assert completions(bash_script, "predict", str(tmp_path / "fea")) == [str(tmp_path / "features.npy")]
    for name in ("a[1].npy", "a1.npy"):
        (tmp_path / name).touch()
    assert completions(bash_script, "predict", str(tmp_path / "a[")) == [str(tmp_path / "a[1].npy")]


def test_bash_takes_a_command_for_no_folder(bash_script, tmp_path):
    (tmp_path / "data").mkdir()
    ours, theirs = pty.openpty()
    # The first words complete what is typed, the key Ctrl-A goes to the line's beginning.
    typed = "zslearn dat\t\x01printf '<%s>' \nzslearn predict dat\t\x01printf '<%s>' \n"
    words = ["bash", "--norc", "--noprofile", "-i"]
    surroundings = {**os.environ, "HISTFILE": "", "INPUTRC": os.devnull}
    with subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=surroundings):
        os.close(theirs)
        os.write(ours, f"bind 'set enable-bracketed-paste off'; . {bash_script}\n{typed}exit\n".encode())
        shown = everything_from(ours)
    assert "<zslearn><data>" in shown
    assert "<zslearn><predict><data/>" in shown


def test_fish_goes_by_the_first_word(command, tmp_path):
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    (tmp_path / "script").write_text(command("--print-completion", "fish").out)

    def offered(line):
        program = f"source {tmp_path / 'script'}; complete -C {line!r}"
        done = subprocess.run(["fish", "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
        assert done.stderr == ""
        return [entry.partition("\t")[0] for entry in done.stdout.splitlines()]

    assert offered("zslearn cl") == ["classes"]
    assert offered("zslearn --print-c") == ["--print-completion"]
    assert {"validate", "run"} < {*offered("zslearn benchmark ")}
    assert offered("zslearn run --see") == ["--seed", "--seeds"]
    assert offered("zslearn benchmark run --see") == []
    assert offered("zslearn data -q show publ") == []
    assert offered("zslearn show publ") == ["published"]


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_scripts_are_whole(command, commands, shell, tmp_path):
    script = command("--print-completion", shell).out
    assert all(re.search(rf"\b{name}\b", script) for name in commands)
    assert "candidates" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(script)
    done = subprocess.run([shell, "-n", tmp_path / "script"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_shell_is_refused(command):
    answer = command("--print-completion", "powershell")
    assert answer.code == 2
    assert "choose from" in answer.err


def test_quiet_commands_say_what_they_found_and_what_went_wrong(command, finished, tmp_path):
    loud, quiet = (command("evaluate", finished[0], *words) for words in ([], ["--quiet"]))
    assert quiet.out == loud.out
    assert quiet.err == ""
    answer = command("predict", finished[0], tmp_path / "none.npy", "-q")
    assert answer.code == 2
    assert answer.err.startswith("error: there is no file")


def test_a_name_with_a_comma_stands_in_quotes():
    assert split_names("A, 8") == ["A", "8"]
    assert split_names('cat, "dog, small" ,"the ""big"" one"') == ["cat", "dog, small", 'the "big" one']


def test_names_that_cannot_be_read_are_refused(command, finished, tmp_path):
    for names in ("A\n8", "A" * 140_000):
        answer = command("synthesize", finished[0], "--classes", names, "-o", tmp_path / "x.npz")
        assert answer.code == 2
        assert answer.err.startswith("error: the names cannot be read (expected names with commas between them")
        assert answer.err.count("\n") == 1


def test_synthesize_takes_a_name_with_a_comma(command, finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    vector = ",".join(["0.5"] * 33 + ["1"])
    assert command("classes", folder, "add", f"dog, small={vector}").code == 0
    assert command("synthesize", folder, "--classes", 'A,"dog, small"', "-n", 2, "-o", tmp_path / "x.npz").code == 0
    with np.load(tmp_path / "x.npz", allow_pickle=False) as drawn:
        assert drawn["labels"].tolist() == ["A"] * 2 + ["dog, small"] * 2


@pytest.mark.parametrize("module", ["zslearn.cli", "zslearn.cli.predict", "torch"])
def test_an_interrupt_during_imports_prints_no_traceback(finished, module):
    program = (
        "import sys; from zslearn.__main__ import start\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupt()); sys.exit(start())"
    )
    words = [sys.executable, "-c", program, "predict", str(finished[0]), "x.npy"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted.\n")


def test_redirected_names_are_utf8_whatever_the_locale(command, finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    assert command("classes", folder, "add", f"Γ={','.join(['0.5'] * 33 + ['1'])}").code == 0
    ascii_alone = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    words = [sys.executable, "-m", "zslearn", "classes", str(folder), "list", "--json"]
    done = subprocess.run(words, env={**os.environ, **ascii_alone}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert '"name": "Γ"'.encode() in done.stdout


@pytest.fixture(params=[["show", "models"], ["show", "models", "--json"], ["--help"]], ids=" ".join)
def ended(request):
    """Runs a command with some standard output; gives its exit code and what it wrote on standard error."""
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

    def run(output):
        words = [sys.executable, "-m", "zslearn", *request.param]
        done = subprocess.run(words, stdout=output, stderr=subprocess.PIPE, text=True, env=surroundings, check=False)
        return done.returncode, done.stderr

    return run


def test_output_for_which_there_is_no_space_is_told_once(ended):
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    what_to_check = "Check that it is there, that you may use it, and that there is space."
    with open("/dev/full", "wb") as full:
        assert ended(full) == (1, f"error: No space left on device. {what_to_check}\n")


def test_output_that_nobody_reads_any_more_is_no_failure(ended):
    ours, theirs = os.pipe()
    os.close(ours)
    assert ended(theirs) == (0, "")
    os.close(theirs)


def at_a_terminal(words, **environment):
    """What a command writes on standard error when that is a terminal."""
    ours, theirs = pty.openpty()
    surroundings = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-m", "zslearn", *words],
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**surroundings, "TERM": "xterm-256color", **environment},
    )
    os.close(theirs)
    written = everything_from(ours)
    assert process.wait(120) == 0
    return written


@pytest.mark.slow
def test_colours_come_at_terminals_alone_and_not_where_they_are_not_wanted(tmp_path):
    words = ["run", "--split", "1", "--set", "n_updates=30", "teacher_updates=30", "classifier_epochs=1", "--out"]
    assert COLOUR.search(at_a_terminal([*words, str(tmp_path / "a")]))
    plain = at_a_terminal([*words, str(tmp_path / "b")], NO_COLOR="1")
    assert "rehearsal" in plain
    assert not COLOUR.search(plain)


def test_progress_elsewhere_says_how_long_the_rest_takes(monkeypatch, capsys):
    from zslearn.cli import progress
    from zslearn.estimator import FitProgress
    from zslearn.training.loop import Progress

    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    with progress.ProgressReport(lambda entry: None, []) as report:
        for step in (1, 5):
            training = Progress("teacher", step, 10, step, 10, {"teacher.class": 1.0})
            report.update(FitProgress(0, 1, training))
            time.sleep(0.01)
    first, second = capsys.readouterr().err.splitlines()
    assert "left" not in first
    assert re.search(r" 50 %  final training, teacher: class 1  about \d+ s left", second)
