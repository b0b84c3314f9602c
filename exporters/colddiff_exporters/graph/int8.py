"""The restorer in 8-bit integers: static quantisation, calibrated with what sampling gives it.

Convolutions and matrix products are quantised, the weights channel by channel. The first and the
last convolution stay in float, because every error of theirs is one of the picture, and so does the
embedding of the level, which tells hundreds of levels apart.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto

from colddiff_core.contracts.errors import ExportError
from colddiff_exporters.graph.dependence import depends_on, named_copy
from colddiff_exporters.quiet import quietly

Feed = dict[str, NDArray[np.generic]]


def to_int8(restorer: ModelProto, calibration: Iterable[Feed]) -> ModelProto:
    """Quantise convolutions and matrix products, weights by channel, from what images do there.

    Args:
        restorer: in float32.
        calibration: inputs `x` and `t`, as they occur in sampling.

    Raises:
        ExportError: the quantiser cannot handle it.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    model = named_copy(restorer)
    excluded, feeds = _kept_in_float(model.graph), iter(calibration)
    with tempfile.TemporaryDirectory() as folder, quietly():
        plain, done = Path(folder) / "plain.onnx", Path(folder) / "done.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), plain)
        try:
            quantize_static(
                plain,
                done,
                SimpleNamespace(get_next=lambda: next(feeds, None)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv", "ConvTranspose", "Gemm", "MatMul"],
                nodes_to_exclude=excluded,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod.MinMax,
                extra_options={"WeightSymmetric": True, "ActivationSymmetric": False},
            )
        except Exception as error:  # onnxruntime's tools raise what they find
            raise ExportError(f"the restorer cannot be quantised: {error}") from error
        quantised = onnx.load(done)
    del quantised.graph.value_info[:]
    return quantised


def _kept_in_float(graph: GraphProto) -> list[str]:
    touched = depends_on(graph, "x")
    convolutions = [n.name for n in graph.node if n.op_type == "Conv" and n.name in touched]
    return [n.name for n in graph.node if n.name not in touched] + [
        *convolutions[:1],
        *convolutions[1:][-1:],
    ]
