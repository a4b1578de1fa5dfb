"""The package as a whole: what importing it costs, what it offers, how it is set up."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import zslearn

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = "import sys, zslearn; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"torch", "sklearn", "scipy", "matplotlib", "numpy"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("name", zslearn.__all__)
def test_public_names_are_there_and_listed(name: str) -> None:
    value = getattr(zslearn, name)
    assert name in dir(zslearn)
    if name != "__version__":
        assert value.__name__ == name
        assert value.__module__.startswith("zslearn.")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'zslearn' has no attribute 'load_date'"):
        zslearn.load_date  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    try:
        installed = importlib.metadata.version("zslearn")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("zslearn runs from its source folder here and is not installed")
    assert zslearn.__version__ == installed


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert Path(zslearn.__file__).with_name("py.typed").is_file()


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_package_and_no_other(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="needs the extra test")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path)]
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(ROOT)], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (commands,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/entry_points.txt"))
    assert "zslearn = zslearn.__main__:start" in commands
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert {name for name in names if ".dist-info/" not in name} == {
        name for name in files if "__pycache__" not in name and ".egg-info/" not in name
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a space in its name that holds the Makefile and what it reads."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    folder = tmp_path / "my project"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


def make(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # What a make that runs these tests was told must not reach the make that is tested.
    told = {"MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "PYTHON", "VENV", "TORCH", "ARGS"}
    environment = {name: value for name, value in os.environ.items() if name not in told}
    return subprocess.run(
        ["make", *arguments], cwd=project, env=environment, capture_output=True, text=True, check=False
    )


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def complaint(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of the standard error that are not make's own."""
    return [line for line in done.stderr.splitlines() if not line.startswith("make: ***")]


def test_make_refuses_an_old_python_in_one_line(project: Path) -> None:
    python = script(project / "old" / "python3", "echo 3.9")
    done = make(project, "demo", f"PYTHON={python}")
    assert done.returncode != 0
    assert complaint(done) == [
        f"error: zslearn needs Python >= 3.11, and {python} is 3.9. Name a newer one: make PYTHON=python3.12"
    ]
    assert not (project / ".venv").exists()


def test_make_names_the_debian_package_where_venv_lacks(project: Path) -> None:
    python = script(
        project / "bare" / "python3", 'case "$*" in *version_info*) echo 3.13 ;; *ensurepip*) exit 1 ;; esac'
    )
    done = make(project, "test", f"PYTHON={python}")
    assert done.returncode != 0
    assert complaint(done) == [f"error: {python} has no venv module. On Debian: apt-get install python3-venv"]
    assert not (project / ".venv").exists()


def test_make_says_so_where_there_is_no_python(project: Path) -> None:
    done = make(project, "demo", "PYTHON=no-such-python")
    assert done.returncode != 0
    assert complaint(done)[-1] == (
        'error: "no-such-python" does not run. Name a Python >= 3.11: make PYTHON=python3.12'
    )


def calls(project: Path) -> list[str]:
    """What the fake interpreter of the project's environment was asked to do, in order."""
    lines = (project / "calls").read_text().splitlines()
    return [line for line in lines if line != "-m pip --version"]


def test_make_installs_again_only_when_the_project_file_changed(project: Path) -> None:
    script(project / ".venv" / "bin" / "python", 'echo "$*" >> calls')
    first = make(project, "test")
    assert first.returncode == 0
    assert "200 MB" in first.stdout
    assert "gigabytes" in first.stdout
    assert "make TORCH=cpu test" in first.stdout
    install, run = calls(project)
    assert install == "-m pip install -e .[test]"
    assert run.startswith("-m pytest")

    make(project, "test")
    assert calls(project) == [install, run, run]

    later = (project / ".venv" / ".installed-test").stat().st_mtime + 10
    os.utime(project / "pyproject.toml", (later, later))
    make(project, "test")
    assert calls(project) == [install, run, run, install, run]


def test_make_installs_again_after_a_failed_installation(project: Path) -> None:
    python = script(project / ".venv" / "bin" / "python", 'echo "$*" >> calls; case "$*" in *install*) exit 1 ;; esac')
    assert make(project, "test").returncode != 0
    assert calls(project) == ["-m pip install -e .[test]"]
    script(python, 'echo "$*" >> calls')
    assert make(project, "test").returncode == 0
    assert calls(project)[1] == "-m pip install -e .[test]"


def test_make_installs_every_extra_that_a_test_needs(project: Path) -> None:
    script(project / ".venv" / "bin" / "python", 'echo "$*" >> calls')
    assert make(project, "test-all").returncode == 0
    installed = set(re.search(r"\[(.*)\]", calls(project)[0])[1].split(","))
    assert installed == {"all", *(name for name in EXTRAS if name.startswith("test"))}
    (everything,) = EXTRAS["all"]
    gathered = set(re.search(r"\[(.*)\]", everything)[1].split(","))
    assert gathered | installed == EXTRAS.keys() - {"docs", "lint", "audit"}


def test_make_takes_the_cpu_torch_when_asked(project: Path) -> None:
    script(project / ".venv" / "bin" / "python", 'echo "$*" >> calls')
    make(project, "types", "TORCH=cpu")
    assert calls(project) == [
        "-m pip install --extra-index-url https://download.pytorch.org/whl/cpu -e .[lint]",
        "-m mypy",
    ]


def test_make_alone_lists_the_targets(project: Path) -> None:
    done = make(project)
    assert done.returncode == 0
    listed = {line.split()[1] for line in done.stdout.splitlines()}
    assert listed == {
        "help",
        "demo",
        "test",
        "test-all",
        "format",
        "lint",
        "types",
        "docs",
        "bench",
        "torture",
        "audit",
        "clean",
    }


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_the_source_distribution_holds_the_files_that_its_pages_name(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"(?<=\]\()[\w.][^):#]*|(?<=`)[\w.][\w./-]*(?=`)", text)
    files = {name.partition("/")[0] for name in named if (ROOT / name).is_file()}
    included = {path.removeprefix("/") for path in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]}
    assert files
    assert files <= included | {"README.md", "LICENSE", "pyproject.toml"}


def test_the_source_distribution_holds_the_hooks_that_pre_commit_installs() -> None:
    assert "/.pre-commit-config.yaml" in PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]


def test_the_targets_that_must_pass_before_a_change_lands_are_told() -> None:
    targets = re.findall(r"(?m)^run ([\w-]+) ", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    (told,) = re.findall(
        r"(?s)`.ci/run` is what must pass.*?\n\n", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    )
    assert targets == re.findall(r"`make ([\w-]+)`", told)
    assert {"test", "test-all", "lint", "types"} <= set(targets)


def test_every_page_of_the_documentation_is_named_in_a_toctree() -> None:
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
    toctrees = [tree for page in pages.values() for tree in re.findall(r"```{toctree}\n(.*?)```", page, re.DOTALL)]
    named = {line for tree in toctrees for line in tree.splitlines() if re.fullmatch("[a-z-]+", line)}
    assert pages.keys() - named == {"index"}, "the documentation does not build: name the page in docs/guide.md"
    assert named - pages.keys() == set(), "the documentation does not build: there is no such page"
