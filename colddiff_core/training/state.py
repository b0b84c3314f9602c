"""What of a run is in a checkpoint: weights, average, optimizer, prior, and how far it is."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor, nn

from colddiff_core.contracts.errors import CheckpointError
from colddiff_core.training.checkpoint import Checkpoint, Progress
from colddiff_core.training.engine import Engine

_LOSSES = "losses"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW, for each parameter that had a gradient


def capture(
    engine: Engine, progress: Progress, losses: list[Tensor], facts: Mapping[str, Any]
) -> Checkpoint:
    """Copy the state of a run.

    Args:
        engine: the network and what belongs to it.
        progress: how far the run is.
        losses: of all processes, since the last line of metrics.
        facts: what else the checkpoint is to say.
    """
    tensors = dict(_learnt(engine))
    for name, parameter in engine.network.named_parameters():
        for key, value in engine.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
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


def resume(engine: Engine, checkpoint: Checkpoint) -> tuple[Progress, list[Tensor]]:
    """Bring `engine` to the state that was captured.

    Returns:
        How far the run is, and the losses since the last line of metrics.

    Raises:
        CheckpointError: it is the state of another network, or of none.
    """
    tensors, facts = checkpoint.tensors, checkpoint.facts
    expected = dict(_learnt(engine))
    for name, parameter in engine.network.named_parameters():
        if any(f"optimizer.{key}.{name}" in tensors for key in _MOMENTS):
            likes = (torch.empty(()), parameter, parameter)
            expected |= {f"optimizer.{k}.{name}": v for k, v in zip(_MOMENTS, likes, strict=True)}
    if _LOSSES in tensors:
        expected[_LOSSES] = torch.empty(len(tensors[_LOSSES].reshape(-1)))
    wrong = sorted(expected.keys() ^ tensors.keys()) or [
        name
        for name, like in expected.items()
        if (tensors[name].shape, tensors[name].dtype) != (like.shape, like.dtype)
    ]
    if facts["scaler"].keys() != engine.scaler.state_dict().keys():
        wrong.append("scaler")
    if wrong:
        raise CheckpointError(
            f"checkpoint of step {checkpoint.step}: {wrong[0]!r} is missing, unknown or of another "
            f"shape or type: was the network changed since? Train into another folder"
        )
    with torch.no_grad():
        for name, tensor in _learnt(engine):
            tensor.copy_(tensors[name])
    _restore_optimizer(engine, tensors)
    engine.ema.updates = facts["ema_updates"]
    if facts["scaler"]:
        engine.scaler.load_state_dict(facts["scaler"])
    progress = Progress(**facts["progress"])
    losses = tensors.get(_LOSSES, torch.empty(0)).to(engine.world.device)
    return replace(progress, resumed_at=(*progress.resumed_at, progress.step)), list(losses)


def _learnt(engine: Engine) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a run as they are in memory, those of the optimizer aside."""
    parts: dict[str, nn.Module | None] = {
        "network": engine.network,
        "average": engine.ema.network,
        "prior": engine.process.prior,
    }
    for part, module in parts.items():
        if module is not None:
            for name, tensor in module.state_dict().items():
                yield f"{part}.{name}", tensor


def _restore_optimizer(engine: Engine, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for position, (name, like) in enumerate(engine.network.named_parameters()):
        for key in _MOMENTS:
            value = tensors.get(f"optimizer.{key}.{name}")
            if value is None:
                continue
            if value.shape == like.shape:  # laid out as the parameter, so that sums come out alike
                value = torch.empty_like(like, device="cpu", dtype=value.dtype).copy_(value)
            state.setdefault(position, {})[key] = value
    groups = engine.optimizer.state_dict()["param_groups"]
    engine.optimizer.load_state_dict({"state": state, "param_groups": groups})
