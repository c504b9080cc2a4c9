"""The training loop, as a generator of events, and its checkpoints.

Whoever iterates may print, log, save or stop between two events: the state is whole at each of them.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sentiment.core.config import TrainingConfig
from sentiment.core.errors import Diverged, UsageError, listed
from sentiment.data.sequences import Sequences
from sentiment.metrics.task import task as task_of
from sentiment.models.batches import Batch, balanced, buckets, pack, padding, resident
from sentiment.models.forward import infer
from sentiment.models.network import Network
from sentiment.training import adversarial, checkpoint, losses
from sentiment.training.events import Epoch, Step

UPDATES, FEWEST_EPOCHS, MOST_EPOCHS = 1500, 4, 30  # of epochs = "auto"
WARM_UP, START = 0.25, 1 / 25  # of one_cycle: share of the run, first learning rate
# Of adversarial = "auto": on validation parts, short texts gain a point from it, long ones by the thousand
# nothing within four epochs.
ADVERSARIAL_TOKENS = 2_000_000
LOWER_IS_BETTER = {"log_loss", "mae"}
METRICS = {  # of each task; the first is that of metric = "auto"
    "multiclass": ("mcc", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "log_loss"),
    "multilabel": (
        "micro_f1", "macro_f1", "samples_f1", "jaccard", "accuracy", "roc_auc", "average_precision",
        "log_loss",
    ),
}  # fmt: skip
METRICS["ordinal"] = ("quadratic_kappa", "mae", *METRICS["multiclass"])
COUNTERS = ("epoch", "step", "updates", "tokens", "seen", "seconds", "history")  # of a checkpoint


@dataclass(frozen=True)
class Examples:
    """Sequences and their classes (B,), or their labels (B, L) of 0 and 1.

    With `targets`, (B, C) or (B, L), training is on these probabilities instead.
    """

    sequences: Sequences
    labels: NDArray[np.int64]
    targets: NDArray[np.float32] | None = None


class Trainer:
    """Train a model; `run` yields `Step` and `Epoch` events.

    Parameters
    ----------
    model
        Moved to `device`.
    train, validation
        Validation chooses the epoch whose weights are kept.
    config
        The optimisation.
    seed
        Of the order of the batches. Dropout draws from torch's own generator.
    frozen_epochs
        Epochs in which the embedding is not tuned; -1 for all.
    precision
        Of the recurrence and matrix products.
    unlabelled
        Further sequences, for the objectives that need no labels; one batch beside each labelled one.
    twins
        (B) other sequences of the same labels: in each epoch half of the texts, by lot, are read so.
    augment
        Changes the inputs of each training batch.
    """

    def __init__(
        self,
        model: Network,
        train: Examples,
        validation: Examples,
        config: TrainingConfig,
        *,
        device: torch.device,
        seed: int = 0,
        frozen_epochs: int = 0,
        precision: torch.dtype = torch.float32,
        unlabelled: Sequences | None = None,
        twins: Sequences | None = None,
        augment: Callable[[PackedSequence], PackedSequence] | None = None,
    ) -> None:
        config = _without_auto(config, train, model)
        self.model, self.train, self.validation = model.to(device), train, validation
        self.config, self.device, self.seed = config, device, seed
        self.frozen_epochs, self.precision, self.augment = frozen_epochs, precision, augment
        recurrence = list(model.recurrence.parameters())
        encoder = recurrence if model.embedding is None else [*model.embedding.parameters(), *recurrence]
        others = [value for value in model.parameters() if all(value is not one for one in encoder)]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": encoder, "share": config.encoder_rate},
                {"params": others, "share": 1.0},
            ],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            # One pass over the memory of each weight: the embedding is what an update waits for.
            fused=device.type in ("cpu", "cuda"),
        )
        # Also for bfloat16: autocast runs cuDNN's recurrences in float16, whatever type is asked for.
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision != torch.float32)
        self.loss = _loss(train.labels, model, config).to(device)
        goals = train.labels if train.targets is None else train.targets
        self.targets = torch.from_numpy(goals).to(device)  # (B,), or (B, C) or (B, L)
        self.resident = resident(train.sequences, device) if twins is None else None
        self.twins = twins
        self.objectives = adversarial.wanted(config)
        self.unlabelled: Sequences | None = None
        if self.objectives:
            if model.embedding is None:
                raise UsageError("training.adversarial, virtual_adversarial and entropy are for texts")
            counts = np.bincount(train.sequences.values, minlength=model.embedding.num_embeddings)
            self.frequencies = torch.from_numpy(counts / counts.sum()).float().to(device)
            if unlabelled is not None and len(unlabelled) and adversarial.on_unlabelled(config):
                self.unlabelled, self.unlabelled_resident = unlabelled, resident(unlabelled, device)
        self.average = {name: value.detach().clone() for name, value in model.named_parameters()}
        self.best = {name: value.clone() for name, value in self.average.items()}
        self.epochs = _count_epochs(config, len(train.labels))
        self.epoch = self.step = self.updates = 0
        self.history: list[dict[str, Any]] = []
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.step, self.tokens, self.seen, self.seconds = 0, 0, 0, 0.0
        self.loss_sum = torch.zeros((), dtype=torch.float64 if self.device.type != "mps" else torch.float32,
                                    device=self.device)  # fmt: skip

    @property
    def task(self) -> str:
        """What a label is."""
        return self.model.task

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        best = max((record["epoch"] for record in self.history if record["best"]), default=0)
        waited = self.epoch - best
        return self.epoch >= self.epochs or 0 < self.config.patience <= waited

    @property
    def running_loss(self) -> float:
        """Mean training loss of the epoch so far; waits for the device."""
        return float(self.loss_sum) / max(1, self.seen)

    def run(self) -> Iterator[Step | Epoch]:
        """Train from the present state to the end, then put the best weights into the model."""
        config, most = self.config, self.config.max_windows
        while not self.finished:
            generator = np.random.default_rng([self.seed, self.epoch])
            sequences, values = self.train.sequences, self.resident
            if self.twins is not None:
                sequences = sequences.mixed(self.twins, generator.random(len(sequences)) < 0.5)
                values = resident(sequences, self.device)
            lengths, limits = sequences.steps(most), (config.batch_size, config.batch_tokens)
            drawn = np.arange(len(lengths))
            if config.sampling == "balanced":
                drawn = balanced(self.train.labels, generator)
            batches = [drawn[rows] for rows in buckets(lengths[drawn], *limits, generator)]
            further: list[NDArray[np.int64]] = []
            if self.unlabelled is not None:
                further = buckets(self.unlabelled.steps(most), *limits, generator)
            self.model.train()
            for part, frozen_epochs in self._thawing():
                part.requires_grad_(0 <= frozen_epochs <= self.epoch)
            while self.step < len(batches):
                begun = time.perf_counter()
                generator = np.random.default_rng([self.seed, self.epoch, self.step])
                packed = partial(pack, device=self.device, most=most, generator=generator)
                batch = packed(sequences, batches[self.step], values=values)
                if self.augment is not None:
                    batch = replace(batch, inputs=self.augment(batch.inputs))
                progress = (self.epoch + self.step / len(batches)) / self.epochs
                beside = None
                if self.unlabelled is not None:
                    rows = further[self.step % len(further)]
                    beside = packed(self.unlabelled, rows, values=self.unlabelled_resident)
                rate = config.learning_rate * schedule(config.schedule, progress)
                self._update(batch, rate, beside)
                self.step += 1
                self.seconds += time.perf_counter() - begun
                yield Step(self.epoch + 1, self.step, len(batches), batch.tokens)
            record = self._end_epoch(padding(batches, lengths))
            yield Epoch(record)
        self.model.load_state_dict(self.best)

    def _thawing(self) -> Iterator[tuple[nn.Module, int]]:
        """Yield the parts that may be frozen at first, with the epochs that they are."""
        yield self.model.recurrence, self.config.frozen_epochs
        if self.model.embedding is not None:
            yield self.model.embedding, self.frozen_epochs

    def _update(self, batch: Batch, learning_rate: float, unlabelled: Batch | None = None) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate * group["share"]
        targets = self.targets[torch.from_numpy(batch.rows).to(self.device)]
        self.optimizer.zero_grad(set_to_none=True)
        if self.objectives:
            total = self._accumulate(batch, lambda logits: self.loss(logits, targets))
            assert total is not None
            if unlabelled is not None:
                self._accumulate(unlabelled)
                self.tokens += unlabelled.tokens
        else:
            with self._autocast():
                logits = self.model(batch.inputs, counts=batch.counts)
            total = self.loss(logits.float(), targets)
            self.scaler.scale(total / len(batch.rows)).backward()
        if self.config.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.updates += 1
        self.loss_sum += total.detach()
        self.seen += len(batch.rows)
        self.tokens += batch.tokens
        if self.config.ema:
            # Young averages forget faster, or the first weights would stay in them for long.
            decay = min(self.config.ema, (1 + self.updates) / (10 + self.updates))
            with torch.no_grad():
                for name, value in self.model.named_parameters():
                    self.average[name].lerp_(value, 1 - decay)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32)

    def _accumulate(self, batch: Batch, loss: Callable[[Tensor], Tensor] | None = None) -> Tensor | None:
        assert self.model.embedding is not None
        return adversarial.accumulate(
            self.model, batch.inputs, adversarial.spread_of(self.model.embedding.weight, self.frequencies),
            self.config, loss, counts=batch.counts, scale=self.scaler.scale, autocast=self._autocast,
        )  # fmt: skip

    def _end_epoch(self, padded: float) -> dict[str, Any]:
        begun = time.perf_counter()
        loss = self.running_loss
        weights = self._weights()
        kept = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        self.model.load_state_dict(weights)
        probabilities = infer(self.model, self.validation.sequences, self.device)
        self.model.load_state_dict(kept)
        if not (math.isfinite(loss) and np.isfinite(probabilities).all()):
            raise Diverged(
                f"training diverged in epoch {self.epoch + 1} (loss {loss}); lower "
                "training.learning_rate or training.clip_norm"
            )
        validation = task_of(self.model.task).quick_scores(self.validation.labels, probabilities)
        best = not self.history or self._rank(validation) > max(
            self._rank(record["validation"]) for record in self.history
        )
        if best:
            self.best = {name: value.clone() for name, value in weights.items()}
        record = {
            "epoch": self.epoch + 1,
            "loss": loss,
            "learning_rate": self.optimizer.param_groups[-1]["lr"],
            "validation": validation,
            "best": best,
            "tokens": self.tokens,
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "padding": padded,
            "seconds": self.seconds + time.perf_counter() - begun,
        }
        self.history.append(record)
        self.epoch += 1
        self._begin_epoch()
        return record

    def _weights(self) -> dict[str, Tensor]:
        if self.config.ema:
            return self.average
        return {name: value.detach() for name, value in self.model.named_parameters()}

    def _rank(self, validation: dict[str, Any]) -> tuple[float, float]:
        value = validation[self.config.metric]
        if value is None:
            raise UsageError(
                f"training.metric = {self.config.metric!r} is not defined on this validation split, "
                "which lacks a class; choose another, such as accuracy"
            )
        sign = -1 if self.config.metric in LOWER_IS_BETTER else 1
        return sign * value, -validation["log_loss"]

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        groups: checkpoint.Groups = {
            "model": dict(self.model.named_parameters()),
            "average": self.average,
            "best": self.best,
            "sums": {"loss": self.loss_sum},
        }
        counters = {name: getattr(self, name) for name in COUNTERS}
        checkpoint.save(path, groups, counters, self.optimizer, self.scaler, self.device)

    def restore(self, path: Path) -> None:
        """Go back to the state of a checkpoint.

        Raises
        ------
        SentimentError
            If it cannot be read, or is of another model.
        """
        groups, counters = checkpoint.restore(path, self.model, self.optimizer, self.scaler, self.device)
        for target, group in ((self.average, "average"), (self.best, "best")):
            for name, value in target.items():
                value.copy_(groups[group][name])
        for name, value in counters.items():
            setattr(self, name, value)
        self.loss_sum = groups["sums"]["loss"].to(self.device)


def metric_of(config: TrainingConfig, task: str) -> str:
    """Return the score that chooses the epoch; UsageError if it is not one of this task."""
    known = METRICS[task]
    if config.metric == "auto":
        return known[0]
    if config.metric not in known:
        raise UsageError(
            f"training.metric = {config.metric!r} is not for the task {task}; choose one of {listed(known)}"
        )
    return config.metric


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


def _count_epochs(config: TrainingConfig, examples: int) -> int:
    if config.epochs != "auto":
        return config.epochs
    needed = math.ceil(UPDATES * config.batch_size / max(1, examples))
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, needed))


def _without_auto(config: TrainingConfig, train: Examples, model: Network) -> TrainingConfig:
    """Return the settings with a number for ``adversarial``, and a name for ``metric``."""
    found: dict[str, Any] = {"metric": metric_of(config, model.task)}
    if config.adversarial == "auto":
        helps = model.embedding is not None and len(train.sequences.values) <= ADVERSARIAL_TOKENS
        found["adversarial"] = float(helps)
    return config.model_copy(update=found)


def _loss(labels: NDArray[np.int64], model: Network, config: TrainingConfig) -> nn.Module:
    """Return what takes logits and targets to a loss that is summed over the texts."""
    weights = None if config.class_weights == "none" else _balancing(labels, model)
    return losses.CrossEntropy(model.task, weights, config.label_smoothing, config.focal)


def _balancing(labels: NDArray[np.int64], model: Network) -> Tensor:
    """Return a weight for each class (C,), or for both sides of each label (L, 2)."""
    counts = task_of(model.task).counts(labels, model.num_labels)
    share = counts.shape[-1] * np.maximum(counts, 1)  # a class without texts has nothing to weigh
    return torch.tensor(len(labels) / share, dtype=torch.float32)
