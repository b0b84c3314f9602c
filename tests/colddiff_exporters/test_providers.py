"""What `colddiff doctor` finds about ONNX Runtime."""

import numpy as np
import pytest

from colddiff_core.contracts.errors import UsageError
from colddiff_exporters import providers, session


def test_two_packages_are_a_problem_with_its_mend() -> None:
    (found,) = providers.package_findings({"onnxruntime": "1.30", "onnxruntime-gpu": "1.31"})
    assert found.status == "problem"
    assert "overwrite each other" in found.text
    assert found.mend == (
        "pip uninstall -y onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu"
    )


def test_one_package_is_well_and_none_a_problem() -> None:
    (one,) = providers.package_findings({"onnxruntime": "1.30"})
    assert (one.status, one.text) == ("ok", "onnxruntime 1.30")
    (none,) = providers.package_findings({})
    assert (none.status, none.mend) == ("problem", "pip install onnxruntime-gpu")


def test_the_installed_package_is_found() -> None:
    assert providers.installed_packages().keys() & {"onnxruntime", "onnxruntime-gpu"}


def test_a_provider_that_does_not_start_is_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {item.topic: item for item in providers.provider_findings()}
    assert (found["CPU"].status, found["CPU"].text) == ("ok", "starts: CPUExecutionProvider")
    # Listed and with a driver, but the session comes up without it: what a missing cuDNN does
    session._why_not.cache_clear()
    monkeypatch.setattr(session, "_why_no_cuda", lambda: "")
    cpu = session.open_session

    def on_cpu(source: bytes, where: str, device: str) -> object:
        if device == "cpu":
            return cpu(source, where, device)
        raise UsageError("not here")

    monkeypatch.setattr(session, "open_session", on_cpu)
    found = {item.topic: item for item in providers.provider_findings()}
    assert found["CUDA"].status == "note"
    assert "its provider does not start" in found["CUDA"].text
    with pytest.raises(UsageError, match="device cuda:1: ONNX Runtime does not start"):
        session.resolve("cuda:1")
    assert session.resolve("auto") == ("cpu", "no GPU: its provider does not start")
    session._why_not.cache_clear()


def test_the_probe_adds_a_number_to_itself() -> None:
    opened = session.open_session(session._PROBE, "probe", "cpu")
    assert session.run(opened, "y", {"x": np.array([3], np.float32)}, "probe").tolist() == [6]
