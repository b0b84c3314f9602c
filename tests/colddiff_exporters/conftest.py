"""Small exports that several tests look at."""

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_process
from tiny import tiny_process

from colddiff_core import ColdDiffusion, build


@pytest.fixture
def tiny() -> Callable[..., ColdDiffusion]:
    """Make processes that export quickly."""
    return tiny_process


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColdDiffusion, Path]:
    """A small deblurring process and its file, not to be changed."""
    process = make_process()
    path = tmp_path_factory.mktemp("small") / "model.onnx"
    build("exporter", "onnx").export(process, path)
    return process, path
