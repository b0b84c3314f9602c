"""The folder that holds the page."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError, ParameterError
from colddiff_exporters.web import runtime


@pytest.fixture(scope="module")
def process() -> ColdDiffusion:
    from tiny import tiny_process

    return tiny_process("pixelate", shape=(3, 16, 24), num_steps=3)


def images() -> torch.Tensor:
    return torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_folder_refers_to_the_runtime(process: ColdDiffusion, tmp_path: Path) -> None:
    report = build("exporter", "web").export(process, tmp_path / "page", images=images())
    assert any("trajectory" in case for case in report.checks)
    names = sorted(path.name for path in (tmp_path / "page").iterdir())
    assert names == sorted(
        ["index.html", "app.js", "style.css", "model.onnx", "colddiff-web.json", "sample.png"]
    )
    facts = json.loads((tmp_path / "page/colddiff-web.json").read_text())
    assert facts["runtime"].endswith(f"onnxruntime-web@{runtime.VERSION}/dist/ort.wasm.min.mjs")
    assert (facts["image_shape"], facts["num_steps"]) == ([3, 16, 24], 3)
    opened = build("exporter", "web").open(tmp_path / "page", device="cpu")
    assert opened.image_shape == (3, 16, 24)


def test_what_a_page_cannot_do_is_refused(
    tiny: Callable[..., ColdDiffusion], tmp_path: Path
) -> None:
    snow = tiny("snow", num_steps=2)
    with pytest.raises(ExportError, match=r"web: Snow takes the context 'layer'.*export to onnx"):
        build("exporter", "web").export(snow, tmp_path / "page")
    with pytest.raises(ParameterError, match=r"runtime_version: expected e\.g\."):
        build("exporter", "web", runtime_version="1.30.0 && rm -r")
    assert not list(tmp_path.iterdir())


def test_without_npm_nothing_is_vendored(
    process: ColdDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ExportError, match="takes npm; install it, or use cdn"):
        build("exporter", "web", runtime="vendor", verify=False).export(process, tmp_path / "page")
    assert not list(tmp_path.iterdir())
