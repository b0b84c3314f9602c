"""Write down what exports are made of: the operators, attributes and values that the gate lets in.

    python scripts/onnx_operators.py

Traces every built-in degradation with every sampler, every restorer in every precision, what
authors usually write, all kinds of graph and the operator sets that are supported, and writes
`operators.json` in `exporters/colddiff_exporters/gate`, and the schema of ONNX files beside it. Run
it when a component is added or changed; `tests/colddiff_exporters/test_matrix.py` fails where that
was forgotten.
"""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import torch
from onnx import AttributeProto, GraphProto, defs, helper, onnx_ml_pb2
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention

from colddiff_core import ColdDiffusion, build
from colddiff_core.contracts.errors import ColdDiffError
from colddiff_core.registry.components import Registered, registry
from colddiff_core.registry.schema import Parameters
from colddiff_exporters.graph.build import build_model
from colddiff_exporters.graph.half import to_half
from colddiff_exporters.graph.int8 import to_int8
from colddiff_exporters.graph.sampler import LoopForm
from colddiff_exporters.graph.step import join
from colddiff_exporters.graph.trace import trace_restorer, trace_transition
from colddiff_exporters.onnx_exporter import OPSETS
from colddiff_exporters.write import calibration

TARGET = Path(__file__).parent.parent / "exporters/colddiff_exporters/gate/operators.json"
SHAPES = ((1, 16, 8), (3, 16, 8))
ENDS = (OPSETS[0], OPSETS[-1])
FORMS = (
    LoopForm(),
    LoopForm(trajectory=True),
    LoopForm(static_steps=2),
    LoopForm(per_image=True),
)
SIZES = {  # these depend on the model: any size within reason, from 1, or 0 where that was seen
    *("blocksize", "dilations", "group", "kernel_shape", "num_groups", "num_outputs"),
    *("output_padding", "output_shape", "pads", "split", "strides", "hidden_size"),
}
LARGEST = 2**16
AXES = {"axis", "perm"}  # these depend on what an author writes: any axis of images
MOST_AXES = 8
SMALL = {"multipliers": (1, 2), "channels": 16}  # of a restorer that has them: quick to trace
KINDS = {
    AttributeProto.FLOAT: "float",
    AttributeProto.FLOATS: "float",
    AttributeProto.TENSOR: "tensor",
    AttributeProto.GRAPH: "graph",
}


class Usual(nn.Module):
    """What authors of components usually write, so that hardly any has to declare operators."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(channels)
        self.layers = nn.LayerNorm(8)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Each in turn, on images whose width is 8."""
        y = self.layers(self.norm(F.relu(x)) + self.norm(self.conv(x)))
        for f in (torch.tanh, torch.exp, torch.neg, torch.round, torch.floor, torch.ceil):
            y = y + f(y)
        for f in (torch.sign, torch.erf, torch.relu):
            y = y + f(y)
        for f in (F.gelu, F.leaky_relu, F.elu, F.softplus, F.hardswish, F.hardsigmoid, F.mish):
            y = y + f(y)
        y = y + torch.log(y.abs() + 1) + torch.sqrt(y.abs()) + y.abs() ** 1.5 + 1 / (y.abs() + 1)
        for mode in ("constant", "reflect", "replicate", "circular"):
            y = y + F.pad(y, (1, 1, 1, 1), mode=mode)[:, :, 1:-1, 1:-1]
        y = y + F.avg_pool2d(y, 3, stride=1, padding=1) + F.max_pool2d(y, 3, stride=1, padding=1)
        y = y + y.amax(1, keepdim=True) - y.amin(1, keepdim=True) + y.cumsum(3).clamp(-9, 9)
        y = torch.minimum(torch.maximum(y, x), x + 9) + F.softmax(y, 3) + F.softmax(y, 1)
        mean, largest, total = y.mean((2, 3)), y.amax((2, 3)), y.double().int().long().sum((2, 3))
        y = y + (mean + largest + y.amin((1, 2, 3))[:, None] + total.float())[:, :, None, None]
        small = F.avg_pool2d(y, 2)
        y = y + F.interpolate(small, scale_factor=2) + F.interpolate(small, y.shape[2:])
        for mode, aligned in itertools.product(("bilinear", "bicubic"), (False, True)):
            y = y + F.interpolate(small, y.shape[2:], mode=mode, align_corners=aligned)
            y = y + F.interpolate(small, scale_factor=2, mode=mode, align_corners=aligned)
        number = torch.arange(x.shape[0], device=x.device)
        y = y + number[:, None, None, None] + x.roll(1, 3) + x.flip(2) + x.repeat(1, 1, 1, 1)
        y = torch.stack([y, x], 1).amax(1) + torch.cat([y, x], 1)[:, :3] + y.mT.contiguous().mT
        y = y + x.sort(3).values + x.topk(2, 3, largest=False).values.amax(3, keepdim=True)
        level = t[:, None, None, None]
        strong = (level > 3) & ~(level < 1) | (level <= 0) & (level != 2)
        return torch.where(strong & (y <= 9) & (y < 9.5), y, x)


class Collected:
    """The operators of graphs, as `operators.json` lists them."""

    def __init__(self) -> None:
        self.operators: dict[str, dict[str, Any]] = {}

    def add(self, graph: GraphProto) -> None:
        """Note every node, those of inner graphs included."""
        for node in graph.node:
            entry = self.operators.setdefault(node.op_type, {"attributes": {}, "omitted": []})
            empty = {k for k, name in enumerate(node.input) if not name}
            entry["omitted"] = sorted(empty.union(entry["omitted"]))
            for attribute in node.attribute:
                self._attribute(entry["attributes"], attribute)

    def _attribute(self, known: dict[str, Any], attribute: AttributeProto) -> None:
        value = helper.get_attribute_value(attribute)
        if attribute.type == AttributeProto.GRAPH:
            self.add(value)
        if attribute.type in KINDS:
            known[attribute.name] = KINDS[attribute.type]
            return
        several = attribute.type in (AttributeProto.INTS, AttributeProto.STRINGS)
        values = [
            v.decode() if isinstance(v, bytes) else v for v in (value if several else [value])
        ]
        earlier = known.get(attribute.name, [])
        if attribute.name in SIZES:
            lowest = min([1, *values, earlier["from"] if earlier else 1])
            known[attribute.name] = {"from": lowest, "to": LARGEST}
        elif attribute.name in AXES:
            known[attribute.name] = {"from": -MOST_AXES, "to": MOST_AXES - 1}
        else:
            known[attribute.name] = sorted({*values, *earlier})

    def finished(self) -> dict[str, Any]:
        """All of it in order; an attribute that is left out is its default said aloud."""
        for name, entry in self.operators.items():
            for attribute, allowed in entry["attributes"].items():
                default = defs.get_schema(name, OPSETS[-1]).attributes[attribute].default_value
                if isinstance(allowed, list) and default.type == AttributeProto.INT:
                    entry["attributes"][attribute] = sorted({*allowed, default.i})
        return dict(sorted(self.operators.items()))


def choices(item: Registered) -> Iterator[dict[str, Any]]:
    """The defaults, and each value of each parameter that is a choice."""
    yield {}
    for name, field in Parameters.of(item.load()).model.model_fields.items():
        kind = field.annotation
        values = (True, False) if kind is bool else ()
        for value in get_args(kind) if get_origin(kind) is Literal else values:
            if value != field.default:
                yield {name: value}


def process(
    shape: tuple[int, int, int], restorer: nn.Module, degradation: Any, sampler: str = "improved"
) -> ColdDiffusion:
    """A process of any parts."""
    made = ColdDiffusion(degradation, restorer, build("sampler", sampler))
    made.image_shape = shape
    return made.eval()


def collect() -> dict[str, Any]:
    """Trace everything."""
    found, torch_seed = Collected(), torch.manual_seed(0)
    builtin = {
        kind: [item for item in registry().components(kind) if item.builtin]
        for kind in ("degradation", "sampler", "restorer")
    }
    for item in builtin["degradation"]:
        for params in choices(item):
            for shape in SHAPES if not params else SHAPES[1:]:
                for sampler in builtin["sampler"]:
                    with_opset = [20, *(ENDS if not params and shape == SHAPES[1] else ())]
                    for opset in with_opset if sampler.name == "improved" else [20]:
                        try:
                            part = process(
                                shape,
                                nn.Identity(),
                                build("degradation", item.name, **params),
                                sampler.name,
                            )
                            found.add(trace_transition(part, opset).graph)
                        except ColdDiffError as error:
                            print(f"left out: {item.name} {params} {sampler.name}: {error}"[:160])
        print(item.name, flush=True)
    blur = build("degradation", "gaussian-blur", num_steps=3)
    for item in builtin["restorer"]:
        known = Parameters.of(item.load()).from_recipe
        small = {name: value for name, value in SMALL.items() if name in known}
        for params in choices(item):
            network = item.build(image_shape=SHAPES[1], **small, **params)
            part = process(SHAPES[1], network, blur)
            for opset in (20, *ENDS):
                traced = trace_restorer(part, opset)
                found.add(traced.graph)
                found.add(to_half(traced).graph)
                clean = torch.rand(4, *SHAPES[1], generator=torch_seed) * 2 - 1
                found.add(to_int8(traced, calibration(part, clean)).graph)
        print(item.name, flush=True)
    for opset in (20, *ENDS):
        found.add(trace_restorer(process(SHAPES[1], Usual(3), blur), opset).graph)
    halves = trace_restorer(part, 20), trace_transition(part, 20)
    for kind in ("sampler", "step", "restorer"):
        for form in FORMS if kind == "sampler" else FORMS[:2]:
            found.add(build_model(kind, join(part, *halves), form).graph)
    return found.finished()


if __name__ == "__main__":
    schema = TARGET.with_name("onnx_schema.pb")
    schema.write_bytes(onnx_ml_pb2.DESCRIPTOR.serialized_pb)
    lines = [f'  "{name}": {json.dumps(entry)}' for name, entry in collect().items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{TARGET}: {len(lines)} operators")
