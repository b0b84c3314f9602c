"""One step of training, on any device and in any number of processes.

Minimises the mean of |R(D(x0, t), t) - x0| (equation 1 of arXiv 2208.09392).
"""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention
from torch.nn.parallel import DistributedDataParallel

from colddiff_core.contracts.degradation import Degradation
from colddiff_core.contracts.recipe import TrainTable
from colddiff_core.pictures.value_range import to_uint8_levels
from colddiff_core.process import ColdDiffusion
from colddiff_core.training.distributed import World
from colddiff_core.training.ema import Ema
from colddiff_core.training.images import as_x0
from colddiff_core.training.minibatch import Minibatch
from colddiff_core.training.randomness import derived_seed

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Engine:
    """A network, its average, its optimizer, and the step that changes them.

    Batch normalisation takes its statistics over the GPUs of all processes. Where processes train
    on CPUs, each takes those of its own share of a batch, and the first one's are saved.

    Args:
        process: what to train; its restorer is changed in place and moved to the device.
        settings: how.
        world: the processes that train together.
    """

    def __init__(self, process: ColdDiffusion, settings: TrainTable, world: World) -> None:
        self.settings = settings
        self.world = world
        self.process = process.to(world.device).train()
        self.network: nn.Module = process.restorer.to(  # type: ignore[call-overload]
            memory_format=torch.channels_last
        )
        self.ema = Ema(self.network, settings.ema_decay)
        self.averaged = ColdDiffusion(
            process.degradation, self.ema.network, process.sampler, process.prior
        ).eval()
        self.averaged.image_shape = process.image_shape
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=settings.lr,
            weight_decay=settings.weight_decay,
            fused=world.device.type == "cuda",
        )
        self.scaler = torch.amp.GradScaler(  # bf16 has the exponents of fp32, fp16 has not
            world.device.type, enabled=settings.precision == "fp16"
        )
        self._replica = None
        if world.size > 1:
            if world.device.type == "cuda":
                convert = nn.SyncBatchNorm.convert_sync_batchnorm
                self.network = convert(self.network)  # type: ignore[no-untyped-call]
            self._replica = DistributedDataParallel(self.network)  # all begin as the first
            self.ema.network.load_state_dict(self.network.state_dict())
        forward = self._replica or self.network
        self.forward = torch.compile(forward) if settings.compile else forward

    def step(self, number: int, minibatches: Iterable[Minibatch]) -> Tensor:
        """Learn from a batch.

        Args:
            number: of the step, from 1.
            minibatches: what of the batch is this process's, `settings.accumulate` parts.

        Returns:
            This process's share of the loss, a scalar on the device; the loss is their sum.
        """
        settings = self.settings
        # What a network draws for itself, dropout say, comes from torch's global state
        torch.manual_seed(derived_seed(settings.seed, "network", number, self.world.rank))
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(number, settings)
        self.optimizer.zero_grad(set_to_none=True)
        shares = []
        for k, minibatch in enumerate(minibatches, start=1):
            share = len(minibatch.t) / settings.batch_size
            with self._without_exchange() if k < settings.accumulate else nullcontext():
                loss = self._loss(minibatch.to(self.world.device)) * share
                # The exchange averages over processes; the sum is wanted
                self.scaler.scale(loss * self.world.size).backward()  # type: ignore[no-untyped-call]
            shares.append(loss.detach())
        if settings.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.ema.update(self.network)
        return torch.stack(shares).sum()

    def autocast(self) -> AbstractContextManager[None]:
        """What sets the precision of the network's arithmetic."""
        dtype = _DTYPES.get(self.settings.precision)
        return torch.autocast(self.world.device.type, dtype=dtype, enabled=dtype is not None)

    def _loss(self, minibatch: Minibatch) -> Tensor:
        with self.autocast():
            return reconstruction_loss(
                self.process.degradation, self.forward, minibatch, quantize=self.settings.quantize
            )

    def _without_exchange(self) -> AbstractContextManager[None]:
        return nullcontext() if self._replica is None else self._replica.no_sync()


def reconstruction_loss(
    degradation: Degradation,
    restorer: Callable[[Tensor, Tensor], Tensor],
    minibatch: Minibatch,
    *,
    quantize: bool = False,
) -> Tensor:
    """Mean |R(D(x0, t), t) - x0|; under autocast only R is computed in lower precision.

    Args:
        degradation: D.
        restorer: R.
        minibatch: images, levels and contexts, on the device of both.
        quantize: round x_t to 8 bits.
    """
    x0 = as_x0(minibatch.images)
    with torch.no_grad(), torch.autocast(x0.device.type, enabled=False):
        x_t = degradation(x0, minibatch.t, minibatch.context)
        if quantize:
            x_t = to_uint8_levels(x_t)
    return F.l1_loss(restorer(x_t, minibatch.t).float(), x0)


def learning_rate(step: int, settings: TrainTable) -> float:
    """The learning rate of a step (from 1): a linear warm-up, then constant or a cosine to 0."""
    if step <= settings.warmup_steps:
        return settings.lr * step / settings.warmup_steps
    if settings.lr_schedule == "constant":
        return settings.lr
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
