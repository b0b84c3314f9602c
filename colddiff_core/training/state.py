"""What of a run is in a checkpoint: weights, average, optimizer, prior, and how far it is."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import CheckpointError
from colddiff_core.training.checkpoint import Checkpoint
from colddiff_core.training.engine import Engine

_LOSSES = "losses"


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: steps done.
        loss: that was logged last; None before the first line.
        seconds: that the run took, in all its parts.
        resumed_at: steps after which it was resumed.
    """

    step: int = 0
    loss: float | None = None
    seconds: float = 0.0
    resumed_at: tuple[int, ...] = ()


def capture(
    engine: Engine, progress: Progress, losses: list[Tensor], facts: Mapping[str, Any]
) -> Checkpoint:
    """Copy the state of a run.

    Args:
        engine: the network and what belongs to it.
        progress: how far the run is.
        losses: of this process, since the last line of metrics.
        facts: what else the checkpoint is to say.
    """
    tensors = dict(_named(engine))
    if losses:
        tensors[_LOSSES] = torch.stack(losses)
    counters = {
        "progress": asdict(progress),
        "ema_updates": engine.ema.updates,
        "scaler": engine.scaler.state_dict(),
    }
    # Copies, as safetensors refuses tensors that share memory, tied weights for example
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return Checkpoint(progress.step, {**facts, **counters}, copies)


def restore(engine: Engine, checkpoint: Checkpoint) -> tuple[Progress, list[Tensor]]:
    """Bring `engine` to the state that was captured.

    Returns:
        How far the run is, and the losses since the last line of metrics.

    Raises:
        CheckpointError: it is the state of another network.
    """
    tensors = dict(checkpoint.tensors)
    losses = list(tensors.pop(_LOSSES, torch.empty(0)).to(engine.world.device))
    expected = {name: tensor.shape for name, tensor in _named(engine, optimizer=False)}
    moments = {name: tensors.pop(name) for name in list(tensors) if name.startswith("optimizer.")}
    wrong = sorted(expected.keys() ^ tensors.keys()) or [
        name for name, shape in expected.items() if tensors[name].shape != shape
    ]
    if wrong:
        raise CheckpointError(
            f"checkpoint of step {checkpoint.step}: {wrong[0]!r} is missing, unknown or of another "
            f"shape: was the network changed since? Train into another folder"
        )
    with torch.no_grad():
        for name, tensor in _named(engine, optimizer=False):
            tensor.copy_(tensors[name])
    _restore_optimizer(engine, moments)
    facts = checkpoint.facts
    engine.ema.updates = facts["ema_updates"]
    if facts["scaler"]:
        engine.scaler.load_state_dict(facts["scaler"])
    progress = Progress(**facts["progress"])
    resumed_at = (*progress.resumed_at, progress.step)
    return replace(progress, resumed_at=resumed_at), losses


def _named(engine: Engine, *, optimizer: bool = True) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a run, as they are in memory."""
    parts: dict[str, nn.Module | None] = {
        "network": engine.network,
        "average": engine.ema.network,
        "prior": engine.process.prior,
    }
    for part, module in parts.items():
        if module is not None:
            for name, tensor in module.state_dict().items():
                yield f"{part}.{name}", tensor
    if optimizer:
        for name, parameter in engine.network.named_parameters():
            for key, value in engine.optimizer.state.get(parameter, {}).items():
                yield f"optimizer.{key}.{name}", value


def _restore_optimizer(engine: Engine, moments: Mapping[str, Tensor]) -> None:
    parameters = dict(engine.network.named_parameters())
    positions = {name: k for k, name in enumerate(parameters)}
    state: dict[int, dict[str, Tensor]] = {}
    for full_name, value in moments.items():
        _, key, name = full_name.split(".", 2)
        like = parameters[name]
        if value.shape == like.shape:  # laid out as the parameter, so that sums come out the same
            value = torch.empty_like(like, device="cpu", dtype=value.dtype).copy_(value)
        state.setdefault(positions[name], {})[key] = value
    groups = engine.optimizer.state_dict()["param_groups"]
    engine.optimizer.load_state_dict({"state": state, "param_groups": groups})
