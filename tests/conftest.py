"""What several tests share."""

import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from reference import shared_folder

from colddiff_core import ColdDiffusion, build

torch.set_num_threads(1)  # the tensors are small, and pytest-xdist fills the cores

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests first, so that no worker is left with them; a file's tests on one worker.

    They share what its fixtures make. Tests that share nothing name a group of their own.
    """
    items.sort(key=lambda item: "integration" not in item.path.parts)
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(ROOT).as_posix()))


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own, here and in the processes they start."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLDDIFF_CACHE", str(folder))
        patch.setenv("HF_HOME", str(folder / "hub"))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def operators() -> Iterator[None]:
    """Let torch.onnx parse its library of operators once, rather than twice in each export."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    once = functools.cache(ONNXRegistry.from_torchlib)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(once))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recorded arrays and real images, which not everybody has."""
    return shared_folder()


def make_process(
    degradation: str = "gaussian-blur",
    sampler: str = "improved",
    channels: int = 1,
    **params: object,
) -> ColdDiffusion:
    """A small process with random weights that do something."""
    shape = (channels, 8, 8)
    torch.manual_seed(0)
    restorer = build("restorer", "unet", image_shape=shape, channels=8, multipliers=(1, 2))
    for parameter in restorer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if degradation == "gaussian-blur":
        params = {"num_steps": 4, "kernel_size": 3, "std": 0.7, **params}
    return ColdDiffusion(
        build("degradation", degradation, **params),
        restorer,
        build("sampler", sampler),
    ).eval()


@pytest.fixture
def process_of() -> Callable[..., ColdDiffusion]:
    """Make small processes."""
    return make_process


@pytest.fixture
def process() -> ColdDiffusion:
    """A small deblurring process."""
    return make_process()


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Run the command line in this process, where torch is loaded, in `cwd` or `tmp_path`."""
    from colddiff_cli.main import main

    def run(*words: object, cwd: Path = tmp_path) -> Done:
        monkeypatch.chdir(cwd)
        monkeypatch.setattr(sys, "argv", ["colddiff", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Done(code if isinstance(code, int) else 0, *capfd.readouterr())

    return run
