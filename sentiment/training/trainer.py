"""The training of a classifier: its batches, its loss, and which of its epochs is the best."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.core.errors import Diverged, UsageError
from sentiment.core.sections.data import FeaturesConfig
from sentiment.core.sections.training import TrainingConfig
from sentiment.data.sequences import Sequences
from sentiment.metrics.catalogue import metric_of, signed
from sentiment.metrics.task import task as task_of
from sentiment.models.batches import Batch, balanced, buckets, pack, positions, resident
from sentiment.models.network import Network, infer
from sentiment.training import losses
from sentiment.training.events import Epoch, Step
from sentiment.training.loop import Loop, Order, Rows, Weights

UPDATES, FEWEST_EPOCHS, MOST_EPOCHS = 1500, 4, 30  # of epochs = "auto"
# Of adversarial = "auto": on validation parts, short texts gain a point from it, long ones by the thousand
# nothing within four epochs.
ADVERSARIAL_TOKENS = 2_000_000


@dataclass(frozen=True)
class Examples:
    """Sequences and their labels."""

    sequences: Sequences
    labels: NDArray[np.int64]  # classes (B,), or (B, L) of 0 and 1
    targets: NDArray[np.float32] | None = None  # probabilities (B, C) or (B, L) to train on instead


@dataclass(frozen=True)
class Data:
    """What a training reads."""

    train: Examples
    validation: Examples  # chooses the epoch whose weights are kept
    # For the objectives that need no labels; one batch beside each labelled one.
    unlabelled: Sequences | None = None
    # (B) other sequences of the same labels: in each epoch half of the texts, by lot, are read so.
    twins: Sequences | None = None
    augment: Callable[[PackedSequence], PackedSequence] | None = None  # the inputs of each training batch


class Trainer(Loop[Network]):
    """Train a classifier; after the last event of `run` it has the weights of its best epoch.

    Parameters
    ----------
    seed
        Of the order of the batches. Dropout draws from torch's own generator.
    frozen_epochs
        Epochs in which the embedding is not tuned; -1 for all.
    """

    sum_type = torch.float64

    def __init__(
        self,
        model: Network,
        data: Data,
        config: TrainingConfig,
        device: torch.device,
        *,
        seed: int = 0,
        frozen_epochs: int = 0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        train = data.train
        config = _without_auto(config, train, model)
        self.data, self.seed, self.frozen_epochs = data, seed, frozen_epochs
        recurrence = list(model.recurrence.parameters())
        encoder = recurrence if model.embedding is None else [*model.embedding.parameters(), *recurrence]
        others = [value for value in model.parameters() if all(value is not part for part in encoder)]
        groups = [{"params": encoder, "share": config.encoder_rate}, {"params": others, "share": 1.0}]
        super().__init__(model, groups, config, _count_epochs(config, len(train.labels)), device, precision)
        weights = None if config.class_weights == "none" else _balancing(train.labels, model)
        self.loss = losses.CrossEntropy(model.task, weights, config.label_smoothing, config.focal).to(device)
        goals = train.labels if train.targets is None else train.targets
        self.targets = torch.from_numpy(goals).to(device)  # (B,), or (B, C) or (B, L)
        self.resident = resident(train.sequences, device) if data.twins is None else None
        self.objectives = losses.wanted(config)
        self.unlabelled: Sequences | None = None
        if self.objectives:
            if model.embedding is None:
                raise UsageError("training.adversarial, virtual_adversarial and entropy are for texts")
            counts = np.bincount(train.sequences.values, minlength=model.embedding.num_embeddings)
            self.frequencies = torch.from_numpy(counts / counts.sum()).float().to(device)
            if data.unlabelled is not None and len(data.unlabelled) and losses.on_unlabelled(config):
                self.unlabelled = data.unlabelled
                self.unlabelled_resident = resident(data.unlabelled, device)
        self.average, self.best = self.copied_weights(), self.copied_weights()

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.metrics.task`."""
        return self.model.task

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        best = max((record["epoch"] for record in self.history if record["best"]), default=0)
        return super().finished or 0 < self.config.patience <= self.epoch - best

    def run(self) -> Iterator[Step | Epoch]:
        """Train from the present state to the end, then put the best weights into the model."""
        yield from super().run()
        self.model.load_state_dict(self.best)

    def order(self) -> Order:
        """Draw the batches of the present epoch, and thaw what is tuned from it on."""
        config, data, most = self.config, self.data, self.config.max_windows
        generator = np.random.default_rng([self.seed, self.epoch])
        sequences, values = data.train.sequences, self.resident
        if data.twins is not None:
            sequences = sequences.mixed(data.twins, generator.random(len(sequences)) < 0.5)
            values = resident(sequences, self.device)
        lengths, limits = sequences.steps(most), (config.batch_size, config.batch_tokens)
        drawn = np.arange(len(lengths))
        if config.sampling == "balanced":
            drawn = balanced(data.train.labels, generator)
        batches = [drawn[rows] for rows in buckets(lengths[drawn], *limits, generator)]
        further: list[Rows] = []
        if self.unlabelled is not None:
            further = buckets(self.unlabelled.steps(most), *limits, generator)
        self.model.recurrence.requires_grad_(0 <= config.frozen_epochs <= self.epoch)
        if self.model.embedding is not None:
            self.model.embedding.requires_grad_(0 <= self.frozen_epochs <= self.epoch)

        def read(rows: Rows) -> list[Batch]:
            generator = np.random.default_rng([self.seed, self.epoch, self.step])
            packed = partial(pack, device=self.device, most=most, generator=generator)
            batch = packed(sequences, rows, values=values)
            if data.augment is not None:
                batch = replace(batch, inputs=data.augment(batch.inputs))
            if self.unlabelled is None:
                return [batch]
            beside = further[self.step % len(further)]
            return [batch, packed(self.unlabelled, beside, values=self.unlabelled_resident)]

        return Order(batches, lengths, read)

    def backward(self, batch: Batch, *beside: Batch) -> tuple[Tensor, int]:
        """Add the gradients of the mean loss of a labelled batch, and of what unlabelled ones add to it."""
        targets = self.targets[torch.from_numpy(batch.rows).to(self.device)]
        if self.objectives:
            total = self._accumulate(batch, lambda logits: self.loss(logits, targets))
            assert total is not None
            for unlabelled in beside:
                self._accumulate(unlabelled)
        else:
            with self.autocast():
                logits = self.model(batch.inputs, counts=batch.counts)
            total = self.loss(logits.float(), targets)
            self.scaler.scale(total / len(batch.rows)).backward()
        return total, len(batch.rows)

    def _accumulate(self, batch: Batch, loss: Callable[[Tensor], Tensor] | None = None) -> Tensor | None:
        assert self.model.embedding is not None
        return losses.accumulate(
            self.model, batch, losses.spread_of(self.model.embedding.weight, self.frequencies),
            self.config, loss, scale=self.scaler.scale, autocast=self.autocast,
        )  # fmt: skip

    def judge(self, loss: float) -> dict[str, Any]:
        """Score the epoch on validation, and keep its weights if they are the best so far."""
        weights, present = self._weights(), self.copied_weights()
        self.model.load_state_dict(weights)
        task = task_of(self.model.task)
        probabilities = task.probabilities(infer(self.model, self.data.validation.sequences, self.device))
        self.model.load_state_dict(present)
        if not (math.isfinite(loss) and np.isfinite(probabilities).all()):
            raise Diverged(
                f"training diverged in epoch {self.epoch + 1} (loss {loss}); lower "
                "training.learning_rate or training.clip_norm"
            )
        validation = task.quick_scores(self.data.validation.labels, probabilities)
        best = not self.history or self._rank(validation) > max(
            self._rank(record["validation"]) for record in self.history
        )
        if best:
            self.best = {name: value.clone() for name, value in weights.items()}
        rate = self.optimizer.param_groups[-1]["lr"]
        return {"learning_rate": rate, "validation": validation, "best": best}

    def _weights(self) -> Weights:
        """Return the weights that are judged; the present ones are not copied."""
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
        return signed(self.config.metric, value), -validation["log_loss"]

    def copies(self) -> dict[str, Weights]:
        """Return the averaged weights, and the best ones."""
        return {"average": self.average, "best": self.best}


def augment(inputs: PackedSequence, config: FeaturesConfig) -> PackedSequence:
    """Return packed features (N, D) with noise, and with a stretch of steps of each sequence hidden.

    The noise is Gaussian. A hidden step has the mean of every feature, which is 0, as in SpecAugment (Park
    et al. 2019); how many are hidden is drawn evenly from none to ``time_mask`` of the sequence.
    """
    data = inputs.data
    if config.noise:
        data = data + config.noise * torch.randn_like(data)
    if config.time_mask:
        data = data.masked_fill(_hidden(inputs.batch_sizes, config.time_mask, data.device)[:, None], 0)
    return inputs._replace(data=data)


def _hidden(batch_sizes: Tensor, share: float, device: torch.device) -> Tensor:
    """Return (N,) whether a packed step is in the stretch that is drawn for its sequence."""
    slot, step = positions(batch_sizes, device)
    lengths = torch.bincount(slot)  # (B,)
    drawn = torch.rand(2, len(lengths), device=device)
    size = (drawn[0] * ((share * lengths).floor() + 1)).floor()
    start = (drawn[1] * (lengths - size + 1)).floor()
    return (step >= start[slot]) & (step < (start + size)[slot])


def _count_epochs(config: TrainingConfig, examples: int) -> int:
    if config.epochs != "auto":
        return config.epochs
    needed = math.ceil(UPDATES * config.batch_size / max(1, examples))
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, needed))


def _without_auto(config: TrainingConfig, train: Examples, model: Network) -> TrainingConfig:
    """Return the settings with a number for ``adversarial``, and a name for ``metric``."""
    weight = config.adversarial
    if weight == "auto":
        weight = float(model.embedding is not None and len(train.sequences.values) <= ADVERSARIAL_TOKENS)
    metric = metric_of(config.metric, model.task)
    return config.model_copy(update={"metric": metric, "adversarial": weight})


def _balancing(labels: NDArray[np.int64], model: Network) -> Tensor:
    """Return a weight for each class (C,), or for both sides of each label (L, 2)."""
    counts = task_of(model.task).counts(labels, model.num_labels)
    share = counts.shape[-1] * np.maximum(counts, 1)  # a class without texts has nothing to weigh
    return torch.tensor(len(labels) / share, dtype=torch.float32)
