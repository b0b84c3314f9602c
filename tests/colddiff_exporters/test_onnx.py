"""The ONNX file: its form, what it says of itself, and that it agrees with torch."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import Tensor

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.degradation import NO_CONTEXT, Context, Degradation, TensorSpec
from colddiff_core.contracts.errors import ExportError, ModelFileError, ParameterError, UsageError
from colddiff_core.contracts.exporter import ExportReport
from colddiff_exporters.runtime import OnnxSampler


class Fade(Degradation):
    """Towards a random tone; context tensors of two types, one named as the graph names its own."""

    def __init__(self, *, num_steps: int = 4) -> None:
        super().__init__(num_steps)

    def context_spec(self, image_shape: tuple[int, int, int]) -> dict[str, TensorSpec]:
        return {
            "level": TensorSpec(torch.float32, (image_shape[0], 1, 1)),
            "inverted": TensorSpec(torch.bool, ()),
        }

    def sample_context(self, x0: Tensor, generator: torch.Generator) -> Context:
        shape = (len(x0), x0.shape[1], 1, 1)
        return {
            "inverted": torch.rand(len(x0), generator=generator) > 0.5,
            "level": torch.rand(shape, generator=generator),
        }

    def forward(self, x0: Tensor, t: Tensor, context: Context = NO_CONTEXT) -> Tensor:
        weight = (t / self.num_steps)[:, None, None, None]
        sign = torch.where(context["inverted"], -1.0, 1.0)[:, None, None, None]
        return x0 * (1 - weight) + sign * context["level"] * weight


class Branching(Fade):
    """Breaks the contract: it looks at a value."""

    def forward(self, x0: Tensor, t: Tensor, _: Context = NO_CONTEXT) -> Tensor:
        return x0 if t.max() > 2 else x0 / 2


def export(process: ColdDiffusion, path: Path, **params: object) -> ExportReport:
    return build("exporter", "onnx", **params).export(process, path)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[ColdDiffusion, Path]:
    from conftest import make_process

    process, path = make_process(), tmp_path_factory.mktemp("onnx") / "model.onnx"
    export(process, path)
    return process, path


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("levels", [(4, 3, 2, 1, 0), (4, 1, 0), (2, 0)])
def test_plain_onnxruntime_gives_what_torch_gives(
    exported: tuple[ColdDiffusion, Path], batch: int, levels: tuple[int, ...]
) -> None:
    process, path = exported
    x_t = torch.rand(batch, 1, 8, 8) * 2 - 1
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    feed = {"x_t": x_t.numpy(), "timesteps": np.array(levels, dtype=np.int64)}
    (found,) = session.run(None, feed)
    np.testing.assert_allclose(found, process.restore(x_t, levels).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("degradation", "sampler", "channels", "params"),
    [
        ("gaussian-blur", "naive", 3, {"padding": "reflect", "final_mean": True}),
        ("pixelate", "improved", 3, {"num_steps": 2, "filter": "bicubic"}),
        ("pixelate", "naive", 1, {"num_steps": 1}),
    ],
)
def test_other_components_agree_with_torch(
    process_of: Callable[..., ColdDiffusion],
    tmp_path: Path,
    degradation: str,
    sampler: str,
    channels: int,
    params: dict[str, object],
) -> None:
    process = process_of(degradation, sampler, channels, **params)
    report = export(process, tmp_path / "m.onnx")
    assert report.max_error < 1e-5
    assert len(report.checks) == (3 if process.num_steps > 1 else 2)


@pytest.mark.parametrize("opset", [18, 21])
def test_the_ends_of_the_operator_set_range_work(
    process: ColdDiffusion, tmp_path: Path, opset: int
) -> None:
    report = export(process, tmp_path / "m.onnx", opset=opset)
    assert report.max_error < 1e-5
    assert {item.version for item in onnx.load(report.path).opset_import if not item.domain} == {
        opset
    }


def test_attention_exports(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = build(
        "restorer", "unet", image_shape=(1, 8, 8), channels=8, multipliers=(1, 4), attention=True
    )
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    blur = build("degradation", "gaussian-blur", num_steps=2)
    process = ColdDiffusion(blur, net, build("sampler", "naive")).eval()
    assert export(process, tmp_path / "m.onnx").max_error < 1e-5


def test_the_graph_has_the_form_that_runtimes_like(exported: tuple[ColdDiffusion, Path]) -> None:
    process, path = exported
    model = onnx.load(path)
    (loop,) = (node for node in model.graph.node if node.op_type == "Loop")
    body = loop.attribute[0].g
    trip_count, condition, _ = loop.input
    assert trip_count
    assert condition
    weights = sum(p.numel() for p in process.restorer.parameters())
    inside = sum(int(np.prod(item.dims)) for item in body.initializer)
    assert inside >= weights  # initializers of the body, not of the outer graph
    assert sum(int(np.prod(item.dims)) for item in model.graph.initializer) < 10
    assert [n.op_type for n in body.node if "loop/go_on" in n.output] == ["Identity"]
    assert not model.functions
    assert not any(node.doc_string or node.metadata_props for node in body.node)
    assert b"Traceback" not in path.read_bytes()
    assert str(Path(__file__).parent.parent).encode() not in path.read_bytes()
    shapes = {
        i.name: [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "x_t": ["batch", 1, 8, 8],
        "timesteps": ["levels"],
        "x0": ["batch", 1, 8, 8],
    }


def test_the_file_explains_itself(exported: tuple[ColdDiffusion, Path]) -> None:
    facts = {item.key: item.value for item in onnx.load(exported[1]).metadata_props}
    assert json.loads(facts["colddiff.timesteps"]) == [4, 3, 2, 1, 0]
    assert json.loads(facts["colddiff.value_range"]) == [-1, 1]
    assert json.loads(facts["colddiff.image_shape"]) == [1, 8, 8]
    assert json.loads(facts["colddiff.recipe"])["degradation"]["name"] == "gaussian-blur"
    assert "data" not in json.loads(facts["colddiff.recipe"])
    assert len(json.loads(facts["colddiff.components"])) == 3
    assert facts["colddiff.format"] == "1"
    sampler = OnnxSampler(exported[1])
    assert (sampler.image_shape, sampler.num_steps) == ((1, 8, 8), 4)
    assert sampler.recipe.degradation.params["num_steps"] == 4


def test_context_tensors_become_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = third_party_process(Fade, monkeypatch)
    path = tmp_path / "m.onnx"
    assert export(process, path).max_error < 1e-5
    sampler, x_t = OnnxSampler(path), np.zeros((2, 1, 8, 8), np.float32)
    context = process.degradation.sample_context(torch.zeros(2, 1, 8, 8), torch.Generator())
    arrays = {name: value.numpy() for name, value in context.items()}
    found = sampler.restore(x_t, context=arrays)
    expected = process.restore(torch.from_numpy(x_t), context=context)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)
    with pytest.raises(UsageError, match="'level' is missing"):
        sampler.restore(x_t)


def third_party_process(cls: type[Degradation], monkeypatch: pytest.MonkeyPatch) -> ColdDiffusion:
    from conftest import make_process

    from colddiff_core import Component
    from colddiff_core.registry import components as registry
    from colddiff_core.registry.discovery import Plugin, plugins

    monkeypatch.setitem(sys.modules, "third_party", sys.modules[__name__])
    component = Component("third", f"third_party:{cls.__name__}", "")
    plugin = Plugin("x", "third-party", "1.0", (("degradation", component),))
    found = registry.Registry([*plugins(), plugin])
    monkeypatch.setattr(registry, "registry", lambda: found)
    return make_process("third")


def test_what_cannot_be_traced_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = third_party_process(Branching, monkeypatch)
    with pytest.raises(ExportError, match="Branching with Improved cannot be exported to ONNX"):
        export(process, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_file_that_disagrees_with_torch_is_not_left(
    process: ColdDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OnnxSampler.run
    monkeypatch.setattr(OnnxSampler, "run", lambda *args: honest(*args) + np.float32(2e-4))
    with pytest.raises(ExportError, match=r"one step by 2\.00e-04, .*; no file was written"):
        export(process, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_rounding_that_a_loop_magnifies_is_no_disagreement(
    process: ColdDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OnnxSampler.run

    def drifting(self: OnnxSampler, x_t: np.ndarray, levels: tuple[int, ...], *rest: Any) -> Any:
        return honest(self, x_t, levels, *rest) + np.float32(8e-5 * (len(levels) - 1))

    monkeypatch.setattr(OnnxSampler, "run", drifting)
    report = export(process, tmp_path / "m.onnx")
    assert report.max_error == pytest.approx(4 * 8e-5, rel=0.1)
    assert any("one step alone 8e-05" in case for case in report.checks)


def test_parameters_are_checked() -> None:
    for params in ({"opset": 9}, {"tolerance": 0.0}):
        with pytest.raises(ParameterError, match=f"{next(iter(params))}: expected"):
            build("exporter", "onnx", **params)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda s: s.restore(np.zeros((1, 3, 8, 8), np.float32)),
            r"expected \(batch, 1, height, width\)",
        ),
        (lambda s: s.restore(np.zeros((1, 1, 8, 8), np.float32), (5, 0)), "at most 4 to 0"),
    ],
)
def test_misuse_of_the_runtime_is_explained(
    exported: tuple[ColdDiffusion, Path], call: Callable[[OnnxSampler], object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        call(OnnxSampler(exported[1]))


def test_a_device_that_is_not_there_is_an_error(exported: tuple[ColdDiffusion, Path]) -> None:
    with pytest.raises(UsageError, match="expected auto, cpu, cuda, tensorrt or cuda:1; got 'gpu'"):
        OnnxSampler(exported[1], device="gpu")
    if OnnxSampler(exported[1]).device == "cpu":
        with pytest.raises(
            UsageError, match=r"does not start its CUDA provider here: .*; use device cpu"
        ):
            OnnxSampler(exported[1], device="cuda")


def test_files_that_are_not_ours_are_refused(
    exported: tuple[ColdDiffusion, Path], tmp_path: Path
) -> None:
    whole = exported[1].read_bytes()
    (tmp_path / "cut.onnx").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.onnx").write_text("hello")
    model = onnx.load(exported[1])
    for name, edit in {
        "foreign": lambda facts: facts.clear(),
        "newer": lambda facts: facts.update({"colddiff.format": "2"}),
        "lying": lambda facts: facts.update({"colddiff.image_shape": "[1, 8]"}),
        "gone": lambda facts: facts.pop("colddiff.timesteps"),
        "other": lambda facts: facts.update({"colddiff.image_shape": "[1, 8, 16]"}),
        "huge": lambda facts: facts.update({"colddiff.image_shape": "[1e400, 8, 8]"}),
        "odd": lambda facts: facts.update({"colddiff.timesteps": "[3, 2, 9]"}),
        "empty": lambda facts: facts.update({"colddiff.timesteps": "[]"}),
    }.items():
        facts = {item.key: item.value for item in model.metadata_props}
        edit(facts)
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, facts)
        onnx.save(model, tmp_path / f"{name}.onnx")
        model = onnx.load(exported[1])
    for name, message in {
        "cut": "not a usable ONNX file",
        "text": "not a usable ONNX file",
        "missing": "No such file",
        "foreign": "was not exported by colddiff",
        "newer": "has format 2, this release reads 1",
        "lying": "metadata is damaged",
        "gone": "metadata is damaged",
        "other": "its metadata says images of",
        "huge": "metadata is damaged",
        "odd": "not a full schedule",
        "empty": "not a full schedule",
    }.items():
        with pytest.raises(ModelFileError, match=message):
            OnnxSampler(tmp_path / f"{name}.onnx")
