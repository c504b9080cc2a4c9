"""The loop of a training, as a generator of events, and its checkpoints, which need no pickle.

Whoever iterates may print, log, save or stop between two events: the state is whole at each of them. What is
trained, on what and how an epoch is judged is a subclass's to say.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from sentiment.core import files
from sentiment.core.errors import SentimentError
from sentiment.core.sections.training import TrainingConfig
from sentiment.models.batches import Batch, padding
from sentiment.training.events import Epoch, Step

COUNTERS = ("epoch", "step", "updates", "tokens", "seen", "seconds", "history")  # of a checkpoint
OPTIMIZER = "optimizer."  # begins the name of the state of a parameter
WARM_UP, START = 0.25, 1 / 25  # of one_cycle: share of the run, first learning rate

Rows = NDArray[np.int64]
Weights = dict[str, Tensor]
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Order:
    """The batches of an epoch."""

    batches: list[Rows]
    lengths: NDArray[np.int64]  # (N,) steps of each sequence, of all
    # Gathers the rows of a batch; what it gives beside that batch is learned from too, without labels.
    read: Callable[[Rows], list[Batch]]


class Loop(ABC, Generic[Model]):
    """Optimise a model with AdamW; `run` yields `Step` and `Epoch` events.

    Parameters
    ----------
    model
        Moved to `device`.
    groups
        Its parameters, as AdamW takes them; each group with its ``share`` of the learning rate.
    config
        Learning rate and its schedule, weight decay, clipping and averaging.
    epochs
        Of the whole run.
    precision
        Of the recurrence and matrix products.
    """

    sum_type: ClassVar[torch.dtype] = torch.float32  # of the loss of an epoch

    def __init__(
        self,
        model: Model,
        groups: list[dict[str, Any]],
        config: TrainingConfig,
        epochs: int,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.model, self.config, self.epochs = model.to(device), config, epochs
        self.device, self.precision = device, precision
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            # One pass over the memory of each weight: the embedding is what an update waits for.
            fused=device.type in ("cpu", "cuda"),
        )
        # Also for bfloat16: autocast runs cuDNN's recurrences in float16, whatever type is asked for.
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision != torch.float32)
        self.average: Weights = {}  # of the weights; a subclass begins it, or has no `ema`
        self.epoch = self.updates = 0
        self.history: list[dict[str, Any]] = []
        self._begin_epoch()

    @abstractmethod
    def order(self) -> Order:
        """Draw the batches of the present epoch: the same whenever it is asked."""

    @abstractmethod
    def backward(self, batch: Batch, *beside: Batch) -> tuple[Tensor, int]:
        """Accumulate the gradients of the mean loss; return the sum of losses, and how many there are."""

    @abstractmethod
    def judge(self, loss: float) -> dict[str, Any]:
        """Return what the history says of the epoch that has ended, beside its mean loss."""

    @property
    def finished(self) -> bool:
        """Whether no epoch follows."""
        return self.epoch >= self.epochs

    @property
    def running_loss(self) -> float:
        """Mean training loss of the epoch so far; waits for the device."""
        return float(self.loss_sum) / max(1, self.seen)

    def run(self) -> Iterator[Step | Epoch]:
        """Train from the present state to the end."""
        while not self.finished:
            order = self.order()
            steps = len(order.batches)
            self.model.train()
            while self.step < steps:
                begun = time.perf_counter()
                batches = order.read(order.batches[self.step])
                self._update(batches, (self.epoch + self.step / steps) / self.epochs)
                self.step += 1
                self.tokens += sum(batch.tokens for batch in batches)
                self.seconds += time.perf_counter() - begun
                yield Step(self.epoch + 1, self.step, steps, batches[0].tokens)
            yield Epoch(self._end_epoch(padding(order.batches, order.lengths)))

    def autocast(self) -> torch.autocast:
        """Return the context of a forward pass in the chosen precision."""
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def copied_weights(self) -> Weights:
        """Return a copy of the weights, by name."""
        return {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def save(self, path: Path) -> None:
        """Write a checkpoint, atomically: everything that the rest of the run depends on."""
        parameters: Weights = dict(self.model.named_parameters())
        groups = {"model": parameters, **self.copies(), "sums": {"loss": self.loss_sum}}
        states = self.optimizer.state_dict()["state"]
        groups |= {f"{OPTIMIZER}{index}": state for index, state in states.items()}
        tensors = {"torch_rng": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["cuda_rng"] = torch.cuda.get_rng_state(self.device)
        for group, values in groups.items():
            tensors |= {f"{group}/{name}": value.detach() for name, value in values.items()}
        counters = {name: getattr(self, name) for name in COUNTERS}
        metadata = {"counters": json.dumps(counters), "scaler": json.dumps(self.scaler.state_dict())}
        content = {name: value.contiguous().cpu() for name, value in tensors.items()}
        with files.replacing(path) as temporary:
            safetensors.torch.save_file(content, temporary, metadata)

    def restore(self, path: Path) -> None:
        """Go back to the state of a checkpoint; SentimentError if it is none, or of another model."""
        groups: dict[str, Weights] = {}
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata()
            for name, value in tensors.items():
                group, _, leaf = name.rpartition("/")
                groups.setdefault(group, {})[leaf] = value
            self.model.load_state_dict(groups["model"])
        except (SafetensorError, OSError, KeyError, RuntimeError) as error:
            raise SentimentError(f"{path}: not a checkpoint of this run: {error}; start again") from error
        states = {
            int(group.removeprefix(OPTIMIZER)): values
            for group, values in groups.items()
            if group.startswith(OPTIMIZER)
        }
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": states})
        self.scaler.load_state_dict(json.loads(metadata["scaler"]))
        torch.set_rng_state(groups[""]["torch_rng"])
        if "cuda_rng" in groups[""] and self.device.type == "cuda":
            torch.cuda.set_rng_state(groups[""]["cuda_rng"], self.device)
        for group, weights in self.copies().items():
            for name, value in weights.items():
                value.copy_(groups[group][name])
        for name, counter in json.loads(metadata["counters"]).items():
            setattr(self, name, counter)
        self.loss_sum = groups["sums"]["loss"].to(self.device)

    def copies(self) -> dict[str, Weights]:
        """Return other weights that belong to the state, by the name that they have in a checkpoint."""
        return {}

    def _begin_epoch(self) -> None:
        self.step, self.tokens, self.seen, self.seconds = 0, 0, 0, 0.0
        precise = torch.float32 if self.device.type == "mps" else self.sum_type
        self.loss_sum = torch.zeros((), dtype=precise, device=self.device)

    def _update(self, batches: list[Batch], progress: float) -> None:
        rate = self.config.learning_rate * schedule(self.config.schedule, progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        self.optimizer.zero_grad(set_to_none=True)
        loss, count = self.backward(*batches)
        if self.config.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.updates += 1
        self.loss_sum += loss.detach()
        self.seen += count
        if self.config.ema:
            # Young averages forget faster, or the first weights would stay in them for long.
            decay = min(self.config.ema, (1 + self.updates) / (10 + self.updates))
            with torch.no_grad():
                for name, value in self.model.named_parameters():
                    self.average[name].lerp_(value, 1 - decay)

    def _end_epoch(self, padded: float) -> dict[str, Any]:
        begun, loss = time.perf_counter(), self.running_loss
        record = {
            "epoch": self.epoch + 1,
            "loss": loss,
            **self.judge(loss),
            "tokens": self.tokens,
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "padding": padded,
            "seconds": self.seconds + time.perf_counter() - begun,
        }
        self.history.append(record)
        self.epoch += 1
        self._begin_epoch()
        return record


def schedule(name: str, progress: float) -> float:
    """Return the share of the highest learning rate at `progress`, from 0 to 1, of the run."""
    match name:
        case "constant":
            return 1.0
        case "linear":
            return 1 - progress
        case "cosine":
            return (1 + math.cos(math.pi * progress)) / 2
    if progress < WARM_UP:  # one_cycle (Smith 2018)
        return START + (1 - START) * progress / WARM_UP
    return (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP))) / 2
