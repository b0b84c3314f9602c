"""What `colddiff doctor` finds about ONNX Runtime."""

import numpy as np
import pytest

from colddiff_core.contracts.errors import UsageError
from colddiff_exporters import health, session


def test_two_packages_are_a_problem_with_its_mend() -> None:
    (found,) = health.package_findings({"onnxruntime": "1.30", "onnxruntime-gpu": "1.31"})
    assert found.status == "problem"
    assert "overwrite each other" in found.text
    assert found.mend == (
        "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    )


def test_one_package_is_well_and_none_a_problem() -> None:
    (one,) = health.package_findings({"onnxruntime": "1.30"})
    assert (one.status, one.text) == ("ok", "onnxruntime 1.30")
    (none,) = health.package_findings({})
    assert (none.status, none.mend) == ("problem", "pip install onnxruntime-gpu")


def test_the_installed_package_is_found() -> None:
    assert health.installed_packages().keys() & {"onnxruntime", "onnxruntime-gpu"}


def test_a_provider_that_does_not_start_is_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {item.topic: item for item in health.provider_findings()}
    assert (found["CPU"].status, found["CPU"].text) == ("ok", "starts: CPUExecutionProvider")
    # Listed and with a driver, but the session comes up without it: what a missing cuDNN does
    monkeypatch.setattr(session, "why_no_cuda", lambda: "")
    cpu = session._start
    monkeypatch.setattr(session, "_start", lambda content, where, _: cpu(content, where, "cpu"))
    found = {item.topic: item for item in health.provider_findings()}
    assert found["CUDA"].status == "note"
    assert "its provider does not start" in found["CUDA"].text
    with pytest.raises(UsageError, match="device cuda:1: ONNX Runtime does not start"):
        session.open_session(health.PROBE, "probe", "cuda:1")
    auto = session.open_session(health.PROBE, "probe")
    assert (auto.device, auto.note) == (
        "cpu",
        "no GPU: ONNX Runtime does not start its CUDA provider",
    )


def test_the_probe_adds_a_number_to_itself() -> None:
    opened = session.open_session(health.PROBE, "probe", "cpu")
    (found,) = opened.ort.run(None, {"x": np.array([3], np.float32)})
    assert found.tolist() == [6]
