from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# Tests are imported without being a package, so what they share has to be on the path.
sys.path.insert(0, str(Path(__file__).parent))

from toy import toy_dataset as make_toy_dataset
from zslearn.data.dataset import ZSLDataset
from zslearn.experiments import catalog

# How long an example takes says how busy the machine is.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

LITTLE_EXPERIMENT = """title: Little
data: [glyphs]
splits: [0]
models: [{model: skd, settings: {n_updates: 3, teacher_updates: 3}}]
"""


@pytest.fixture(autouse=True)
def torch_from_one_seed() -> None:
    """Whatever draws from torch's own generator draws the same numbers, in whatever order the tests run."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)


@pytest.fixture(scope="session")
def toy_dataset() -> ZSLDataset:
    return make_toy_dataset()


@pytest.fixture(scope="module")
def table(toy_dataset: ZSLDataset) -> tuple[Any, Any, dict[str, Any]]:
    """Features, names of the training rows, and semantics by name."""
    view = toy_dataset.training()
    names = np.array(view.class_names)
    return view.features, names[view.labels], dict(zip(names.tolist(), view.semantics, strict=True))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of benchmark files that are not part of the project."""
    root = Path(os.environ.get("ZSLEARN_SHARED") or Path(__file__).parents[2] / "shared") / "data"
    if not root.is_dir():
        pytest.skip(f"benchmark files are absent: no {root} (set ZSLEARN_SHARED)")
    return root


@pytest.fixture
def little_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder to work in, where the experiments that pages run are small ones."""
    monkeypatch.chdir(tmp_path)
    whole = catalog.packaged_text
    small = ("quick", "comparison-hour")
    monkeypatch.setattr(catalog, "packaged_text", lambda name: LITTLE_EXPERIMENT if name in small else whole(name))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a small image backbone and a small text encoder."""
    pytest.importorskip("transformers", reason="needs the extra encoders")
    from encoders import tiny_backbone, tiny_text_encoder

    folder = tmp_path_factory.mktemp("encoders")
    return tiny_backbone(folder / "resnet", "resnet"), tiny_text_encoder(folder / "bert")
