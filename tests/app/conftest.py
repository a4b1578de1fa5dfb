from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import zslearn
from letters import NEW
from zslearn import GenerativeZSL
from zslearn.app.samples import RealSamples
from zslearn.app.server import AppServer
from zslearn.app.session import Session
from zslearn.data.dataset import ZSLDataset


@pytest.fixture(scope="session")
def glyphs() -> ZSLDataset:
    return zslearn.load_data("glyphs", split="0")


@pytest.fixture(scope="session")
def saved(glyphs, tmp_path_factory) -> Path:
    """The folder of a model of the letters without one of them, solved in half a second."""
    folder = tmp_path_factory.mktemp("saved") / "letters"
    estimator = GenerativeZSL(model="gfzsl", rehearse=False).fit_view(glyphs.training())
    estimator.drop_classes([NEW]).save(folder)
    return folder


@pytest.fixture(scope="session")
def real_samples(glyphs) -> RealSamples:
    return RealSamples(glyphs)


@pytest.fixture
def session(saved, real_samples) -> Session:
    return Session(GenerativeZSL.load(saved), samples=real_samples)


@pytest.fixture(scope="session")
def new_class(glyphs) -> dict[str, dict[str, float]]:
    """How the letter that was taken away is described."""
    row = glyphs.semantics[glyphs.class_names.index(NEW)]
    return {"attributes": dict(zip(glyphs.attribute_names, row.tolist(), strict=True))}


@pytest.fixture(scope="session")
def new_images(glyphs) -> np.ndarray:
    """Real samples of the letter that was taken away."""
    test = glyphs.test()
    return test.features[test.labels == glyphs.class_names.index(NEW)]


@pytest.fixture(scope="session")
def png() -> Callable[[np.ndarray], bytes]:
    """Makes a PNG of an image of ink on paper."""

    def encode(ink: np.ndarray) -> bytes:
        from PIL import Image

        stream = io.BytesIO()
        Image.fromarray(np.rint(255 * (1 - ink)).astype(np.uint8)).save(stream, format="PNG")
        return stream.getvalue()

    return encode


@pytest.fixture
def served():
    """Serves sessions, and tells where."""
    servers = []

    def serve(session: Session, host: str = "127.0.0.1") -> AppServer:
        server = AppServer(host, 0)
        thread = threading.Thread(target=server.serve, args=(session,), daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    yield serve
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()
