"""The page, in a real browser where there is one."""

import base64
import functools
import io
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ExportError, ParameterError
from colddiff_core.pictures.batches import from_batch, to_batch
from colddiff_core.pictures.reading import read_image
from colddiff_exporters.runtime import OnnxSampler
from colddiff_exporters.web import runtime

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)


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


@pytest.fixture(scope="module")
def page(process: ColdDiffusion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with its runtime beside it, which takes npm and its registry."""
    folder = tmp_path_factory.mktemp("web") / "page"
    try:
        build("exporter", "web", runtime="vendor", verify=False).export(
            process, folder, images=images()
        )
    except ExportError as error:
        pytest.skip(f"onnxruntime-web cannot be fetched: {error}")
    return folder


@pytest.fixture
def served(page: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(page)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(BROWSER is None, reason="needs chromium or chrome")
def test_a_browser_restores_what_python_restores(page: Path, served: str, tmp_path: Path) -> None:
    assert BROWSER is not None
    done = subprocess.run(
        [
            BROWSER,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=60000",
            "--dump-dom",
            served,
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    dom = done.stdout
    assert 'data-state="done"' in dom, dom[-3000:] + done.stderr[-2000:]
    assert "after 3 of 3 steps, level 0" in dom
    assert re.search(r'<input id="step" type="range" min="0" max="3"|max="3"', dom)
    link = re.search(r'href="data:image/png;base64,([^"]+)"', dom)
    assert link is not None
    with Image.open(io.BytesIO(base64.b64decode(link.group(1)))) as picture:
        shown = np.asarray(picture.convert("RGB")).astype(int)
    x_t = to_batch([read_image(page / "sample.png")])
    expected = from_batch(OnnxSampler(page / "model.onnx", device="cpu").restore(x_t))[0]
    assert np.abs(shown - expected).max() <= 1
    assert np.abs(expected.astype(int) - read_image(page / "sample.png")).max() > 5


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_page_counts_and_converts_as_python_does(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "check.mjs"
    code = (page / "app.js").read_text()
    helpers = code[: code.index("const show")]
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 4), np.uint8)
    script.write_text(
        helpers + f"\nconst rgba = {pixels.reshape(-1).tolist()};"
        "const grey = toTensor(rgba, [1, 4, 5]); const rgb = toTensor(rgba, [3, 4, 5]);"
        "console.log(JSON.stringify({ grey: [...grey], back: [...toPixels(rgb, [3, 4, 5])],"
        " levels: [[20, 7], [3, 3], [300, 1]].map(([T, n]) => evenly(T, n)) }));"
    )
    done = subprocess.run(
        [shutil.which("node") or "node", str(script)], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    from colddiff_core.contracts.timesteps import evenly

    assert told["levels"] == [list(evenly(*pair)) for pair in ((20, 7), (3, 3), (300, 1))]
    grey = np.asarray(Image.fromarray(pixels[:, :, :3]).convert("L"))
    np.testing.assert_allclose(told["grey"], to_batch([grey[:, :, None]]).reshape(-1), atol=1e-6)
    back = np.array(told["back"]).reshape(4, 5, 4)
    np.testing.assert_array_equal(back[:, :, :3], pixels[:, :, :3])
