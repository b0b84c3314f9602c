"""What the page does: its arithmetic in node, the rest in a browser, where there is one."""

import base64
import functools
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny import tiny_process

from colddiff_core import build
from colddiff_core.contracts.errors import ExportError
from colddiff_core.contracts.timesteps import evenly
from colddiff_core.pictures.batches import Pixels, fit, from_batch, to_batch, to_channels
from colddiff_core.pictures.reading import read_image

PAGE = Path(str(files("colddiff_exporters.web"))) / "page"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
NODE = shutil.which("node")
SHAPE = (3, 16, 24)

# What is done with the page, one after the other; what it shows at the end of each is recorded
SCENES: dict[str, list[list[str]]] = {
    "chosen while the model loads": [["choose", "texture.png"]],
    "the sample": [["choose"]],
    "dropped": [["drop", "texture.png"]],
    "two dropped": [["drop", "small.png", "texture.png"]],
    "no file dropped": [["drop"]],
    "enlarged": [["choose", "small.png"]],
    "wide": [["choose", "wide.png"]],
    "transparent": [["choose", "transparent.png"]],
    "grey": [["choose", "grey.png"]],
    "on its side": [["choose", "side.jpg"]],
    "animated": [["choose", "animated.gif"]],
    "undecodable": [["choose", "broken.png"]],
    "undecodable, other steps": [["steps", "2"]],
    "racing": [["choose", "broken.png"], ["choose", "texture.png"], ["choose", "small.png"]],
    "steps of 1.5": [["steps", "1.5"]],
    "no step": [["steps", "0"]],
    "too many steps": [["steps", "4"]],
    "no number": [["steps", ""]],
    "one step": [["steps", "1"]],
    "slid": [["slide", "0"]],
}

DRIVER = """
const files = async (names) => {
  const held = new DataTransfer();
  for (const name of names) held.items.add(new File([await (await fetch(name)).blob()], name));
  return held;
};
const input = (id, name, change) => {
  change(element(id));
  element(id).dispatchEvent(new Event(name, { bubbles: true }));
};
const element = (id) => document.getElementById(id);
let prevented = null;
const actions = {
  choose: (held) => input("file", "change", (field) => (field.files = held.files)),
  drop: (held) => {
    prevented = ["dragover", "drop"].map((name) => !document.body.dispatchEvent(
      new DragEvent(name, { dataTransfer: held, bubbles: true, cancelable: true })));
  },
  steps: (value) => input("steps", "change", (field) => (field.value = value)),
  slide: (value) => input("step", "input", (field) => (field.value = value)),
};
const settled = () => new Promise((done) => {
  const { dataset } = document.body;
  const look = () => dataset.state && dataset.state !== "busy" && done(watcher.disconnect());
  const watcher = new MutationObserver(look);
  watcher.observe(document.body, { attributes: true });
  look();
});
const pixels = (id) => {
  const { width, height } = element(id);
  return [...element(id).getContext("2d").getImageData(0, 0, width, height).data];
};
const seen = {};
for (const [scene, steps] of Object.entries(SCENES)) {
  const held = await Promise.all(steps.map(([name, ...given]) =>
    name === "steps" || name === "slide" ? given[0] : files(given)));
  steps.forEach(([name], k) => actions[name](held[k]));
  await settled();
  seen[scene] = {
    state: document.body.dataset.state, status: element("status").textContent,
    caption: element("caption").textContent, before: pixels("before"), after: pixels("after"),
    link: element("download").hidden ? "" : element("download").href, prevented,
    slider: !element("step").disabled, spoken: element("step").ariaValueText,
  };
}
await fetch("seen", { method: "POST", body: JSON.stringify(seen) });
"""


def random(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def in_node(code: str) -> Any:
    """Run what of app.js needs no browser, and return what `code` evaluates to."""
    source = (PAGE / "app.js").read_text("utf-8")
    source = source[: source.index("const element")] + f"\nconsole.log(JSON.stringify({code}));"
    assert NODE is not None
    done = subprocess.run([NODE, "-"], input=source, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="needs node")
@pytest.mark.parametrize("channels", [1, 3])
def test_the_page_resizes_as_restore_does(channels: int) -> None:
    sizes = [(131, 173), (16, 24), (17, 24), (5, 7), (131, 150), (1, 1), (16, 400)]
    pictures = [random(height, width, 4) for height, width in sizes]
    for picture in pictures:
        picture[:, :, 3] = 255
    given = [
        [*size, picture.reshape(-1).tolist()] for size, picture in zip(sizes, pictures, strict=True)
    ]
    told = in_node(
        f"{json.dumps(given)}.map(([fullHeight, fullWidth, rgba]) => [...fit(fullWidth, fullHeight,"
        "(left, top, width, height) => Uint8ClampedArray.from({ length: 4 * width * height },"
        "(_, i) => { const [x, y] = [(i >> 2) % width, Math.floor((i >> 2) / width)];"
        "return rgba[4 * ((top + y) * fullWidth + left + x) + (i & 3)]; }),"
        f"[{channels}, 16, 24])])"
    )
    for picture, levels in zip(pictures, told, strict=True):
        expected = fit(to_channels(picture[:, :, :3], channels), 16, 24).transpose(2, 0, 1)
        assert np.abs(np.reshape(levels, (channels, 16, 24)) - expected.astype(int)).max() <= 1


@pytest.mark.skipif(NODE is None, reason="needs node")
def test_the_page_counts_and_converts_as_python_does() -> None:
    told = in_node(
        "{ steps: [[20, 7], [3, 3], [300, 1]].map(([T, n]) => evenly(T, n)),"
        " x: [...toTensor([0, 128, 255])], grey: toPixels([-2, 0.25, 1], [1, 1, 3]),"
        " white: [1, 3].map((n) => [...toLevels([9, 8, 7, 0, 200, 100, 0, 51], n)]) }"
    )
    assert told["steps"] == [list(evenly(*pair)) for pair in ((20, 7), (3, 3), (300, 1))]
    expected = to_batch([np.array([[[0], [128], [255]]], np.uint8)])
    np.testing.assert_allclose(told["x"], expected.reshape(-1), atol=1e-7)
    assert list(told["grey"].values()) == [0, 0, 0, 255, 159, 159, 159, 255, *[255] * 4]
    assert told["white"] == [[255, 228], [255, 255, 255, 244, 224, 204]]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with its runtime beside it, which takes npm and its registry, and pictures for it."""
    if BROWSER is None:
        pytest.skip("needs chromium or chrome")
    folder = tmp_path_factory.mktemp("web") / "page"
    process = tiny_process("pixelate", shape=SHAPE, num_steps=3)
    images = torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    try:
        build("exporter", "web", runtime="vendor", verify=False).export(
            process, folder, images=images
        )
    except ExportError as error:
        pytest.skip(f"onnxruntime-web cannot be fetched: {error}")
    Image.fromarray(random(131, 173, 3)).save(folder / "texture.png")
    Image.fromarray(random(5, 7, 3)).save(folder / "small.png")
    Image.fromarray(random(40, 65_000, 3) & 128).save(folder / "wide.png")
    Image.fromarray(random(60, 61)).save(folder / "grey.png")
    transparent = random(48, 72, 4)
    transparent[:, :, 3] = np.linspace(0, 255, 72)
    Image.fromarray(transparent).save(folder / "transparent.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    smooth = Image.fromarray(random(4, 6, 3)).resize((60, 40))
    smooth.save(folder / "side.jpg", exif=turned, quality=95, subsampling=0)
    frames = [Image.fromarray(random(32, 48) // 64 * 85), Image.new("L", (48, 32), 255)]
    frames[0].save(folder / "animated.gif", save_all=True, append_images=frames[1:])
    (folder / "broken.png").write_bytes((folder / "texture.png").read_bytes()[:20])
    return folder


@pytest.fixture(scope="module")
def seen(page: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What the page shows at the end of each scene."""
    (page / "driver.js").write_text(f"const SCENES = {json.dumps(SCENES)};" + DRIVER)
    html = (page / "index.html").read_text()
    script = '<script type="module" src="driver.js"></script></body>'
    (page / "driven.html").write_text(html.replace("</body>", script))
    answers: queue.Queue[bytes] = queue.Queue()
    for address in served(page, answers):
        profile = tmp_path_factory.mktemp("profile")
        browser = subprocess.Popen(
            [*headless(profile), f"{address}driven.html"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            told: dict[str, dict[str, Any]] = json.loads(answers.get(timeout=180))
        finally:
            browser.terminate()
            browser.wait()
    return told


def headless(profile: Path) -> list[str]:
    assert BROWSER is not None
    plain = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    return [BROWSER, *plain, f"--user-data-dir={profile}"]


def served(folder: Path, answers: "queue.Queue[bytes]") -> Iterator[str]:
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            answers.put(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

    serve = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def shown(record: dict[str, Any], canvas: str) -> NDArray[np.int64]:
    return np.reshape(record[canvas], (16, 24, 4))[:, :, :3]


def given(page: Path, name: str) -> Pixels:
    return fit(read_image(page / name, 3), 16, 24)


@pytest.mark.parametrize(
    ("scene", "name", "note"),
    [
        ("chosen while the model loads", "texture.png", ""),
        ("the sample", "sample.png", ""),
        ("dropped", "texture.png", ""),
        ("two dropped", "small.png", "This is the first of 2 files."),
        ("enlarged", "small.png", ""),
        ("wide", "wide.png", ""),
        ("grey", "grey.png", ""),
        ("on its side", "side.jpg", ""),
        ("animated", "animated.gif", ""),
        ("racing", "small.png", ""),
    ],
)
def test_a_browser_restores_what_python_restores(
    page: Path, seen: dict[str, dict[str, Any]], scene: str, name: str, note: str
) -> None:
    record = seen[scene]
    assert record["state"] == "done", record["status"]
    assert record["status"].endswith(f" ms. {note}".rstrip())
    x_t = given(page, name)
    off = 3 if name.endswith(".jpg") else 1  # of what the decoders differ
    assert np.abs(shown(record, "before") - x_t).max() <= off
    model = build("exporter", "web").open(page, device="cpu")
    levels = evenly(3, 2) if scene == "racing" else evenly(3, 3)
    restored = from_batch(model.restore(to_batch([x_t]), timesteps=levels))[0]
    assert np.abs(shown(record, "after") - restored).max() <= 3 * off
    assert np.abs(restored.astype(int) - x_t).max() > 5


def test_what_is_transparent_is_laid_on_white(page: Path, seen: dict[str, dict[str, Any]]) -> None:
    record = seen["transparent"]
    assert record["status"].endswith(" ms. What is transparent was laid on white.")
    with Image.open(page / "transparent.png") as picture:
        white = Image.new("RGBA", picture.size, "white")
        laid = np.asarray(Image.alpha_composite(white, picture).convert("RGB"))
    assert np.abs(shown(record, "before") - fit(laid, 16, 24)).max() <= 2


@pytest.mark.parametrize(
    ("scene", "status"),
    [
        ("undecodable", "broken.png is not a picture that this browser can decode. "),
        ("undecodable, other steps", "broken.png is not a picture that this browser can decode. "),
        ("steps of 1.5", "Steps: expected a whole number from 1 to 3."),
        ("no step", "Steps: expected a whole number from 1 to 3."),
        ("too many steps", "Steps: expected a whole number from 1 to 3."),
        ("no number", "Steps: expected a whole number from 1 to 3."),
    ],
)
def test_nothing_is_shown_beside_a_message(
    seen: dict[str, dict[str, Any]], scene: str, status: str
) -> None:
    record = seen[scene]
    assert record["status"].startswith(status)
    assert (record["state"], record["caption"], record["link"]) == ("error", "after", "")
    assert not any(record["before"] + record["after"])
    assert not record["slider"]


def test_what_is_dropped_is_not_opened(seen: dict[str, dict[str, Any]]) -> None:
    assert seen["dropped"]["prevented"] == [True, True]
    assert seen["no file dropped"]["prevented"] == [True, True]
    assert seen["no file dropped"]["status"].startswith("What was dropped is not a file.")


def test_each_step_is_shown_said_and_saved(seen: dict[str, dict[str, Any]]) -> None:
    last, first = seen["one step"], seen["slid"]
    assert last["caption"] == last["spoken"] == "after 1 of 1 steps, level 0"
    assert first["caption"] == first["spoken"] == "after 0 of 1 steps, level 3"
    np.testing.assert_array_equal(first["after"], first["before"])
    assert first["link"].startswith("data:image/png;base64,")
    assert base64.b64decode(first["link"].partition(",")[2])[1:4] == b"PNG"
    assert first["link"] != last["link"]


@pytest.mark.skipif(BROWSER is None, reason="needs chromium or chrome")
def test_a_page_opened_as_a_file_says_to_serve_it(tmp_path: Path) -> None:
    flags = [*headless(tmp_path), "--dump-dom", (PAGE / "index.html").as_uri()]
    done = subprocess.run(flags, capture_output=True, text=True, timeout=60, check=False)
    assert "Serve this folder, e.g. with `python -m http.server`" in done.stdout.split("<script")[0]
