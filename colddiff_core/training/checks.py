"""Whether the parts of a process do what their contracts say, tried before work begins."""

import copy
from typing import Any

import torch
from torch import Tensor

from colddiff_core.contracts.component import name_of
from colddiff_core.contracts.errors import UsageError, one_line
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.engine import Engine, reconstruction_loss
from colddiff_core.training.minibatch import Feed
from colddiff_core.training.randomness import generator

_FLOATING = (torch.float32, torch.bfloat16, torch.float16)  # the last two under autocast


def check_parts(engine: Engine, feed: Feed) -> None:
    """Do what a step does with two images, on a copy of the network, and look at every result.

    Raises:
        UsageError: a part returns something else than its contract says; says what.
    """
    process, world, settings = engine.process, engine.world, engine.settings
    network = copy.deepcopy(engine.network)
    (minibatch,) = feed.minibatches(1, range(min(2, settings.batch_size)), 1)
    shape = (len(minibatch.t), *process.image_shape)
    _expect("data", minibatch.images, shape, torch.uint8, torch.float32)

    def restorer(x_t: Tensor, t: Tensor) -> Tensor:
        _expect(f"degradation {name_of(process.degradation)}", x_t, shape, torch.float32)
        try:
            x0_hat = network(x_t, t)
        except (RuntimeError, TypeError, ValueError, LookupError) as error:
            raise UsageError(
                f"restorer {name_of(network)}: cannot be called with images {shape} and levels "
                f"{tuple(t.shape)}: {one_line(error, type(network).__module__)}"
            ) from error
        _expect(f"restorer {name_of(network)}", x0_hat, shape, *_FLOATING)
        return x0_hat  # type: ignore[no-any-return]

    with engine.autocast():
        loss = reconstruction_loss(process.degradation, restorer, minibatch.to(world.device))
    loss.backward()  # type: ignore[no-untyped-call]
    idle = [k for k, w in network.named_parameters() if w.requires_grad and w.grad is None]
    if idle and world.size > 1:
        raise UsageError(
            f"restorer {name_of(network)}: {len(idle)} parameters have no part in its result, e.g. "
            f"{idle[0]!r}, and several processes wait for their gradients; remove them, or call "
            f"requires_grad_(False) on them"
        )
    if process.prior is not None:
        x_T = process.prior.sample(1, generator(settings.seed, "check"))[0]  # noqa: N806
        _expect(f"prior {name_of(process.prior)}", x_T, (1, *shape[1:]), torch.float32)


def _expect(what: str, found: Any, shape: tuple[int, ...], *types: torch.dtype) -> None:
    if not isinstance(found, Tensor) or found.shape != shape or found.dtype not in types:
        came = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found)
        raise UsageError(
            f"{what}: expected a tensor {shape} {' or '.join(map(str, types))}, got {came}"
        )


def check_process(process: ColdDiffusion) -> None:
    """Refuse what can be told by looking at the parts.

    Raises:
        UsageError: there is nothing to train, or the model could not generate from its prior.
    """
    if not any(weight.requires_grad for weight in process.restorer.parameters()):
        raise UsageError(f"restorer {name_of(process.restorer)}: has no weights to train")
    prior = process.prior
    missing = sorted(set(process.context_names) - set(prior.gives)) if prior is not None else []
    if prior is not None and missing:
        raise UsageError(
            f"prior {name_of(prior)}: does not give the {missing[0]} that degradation "
            f"{name_of(process.degradation)} takes, so nothing could be generated; take another "
            f"prior, or leave it out"
        )


def check_compiler(device: torch.device) -> None:
    """Compile something small.

    Raises:
        UsageError: that does not work here.
    """
    try:
        torch.compile(torch.square)(torch.ones(8, device=device))
    except Exception as error:  # whatever a backend raises
        raise UsageError(
            f"train.compile: torch.compile does not work on {device}, install a compiler or leave "
            f"it out: {str(error).partition(chr(10))[0]}"
        ) from error
