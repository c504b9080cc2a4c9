"""The training of a language model."""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sentiment.core.config import Config
from sentiment.core.errors import SentimentError
from sentiment.data.sequences import Sequences
from sentiment.models.batches import buckets, pack, padding, resident
from sentiment.models.language_model import LanguageModel, held_out_loss, keeping_rates, sampling_rates
from sentiment.training import checkpoint
from sentiment.training.events import Epoch, Step
from sentiment.training.trainer import schedule

COUNTERS = ("epoch", "step", "updates", "tokens", "seen", "seconds", "history")  # of a checkpoint


class Pretrainer:
    """Train a language model; `run` yields `Step` and `Epoch` events.

    Parameters
    ----------
    model
        Moved to `device`.
    pieces, held_out
        Of two tokens or more. The latter judge each pass; nothing is chosen by them.
    settings
        Their parts ``pretraining``, and clipping and weight decay of ``training``; the seed is that of
        the order. Dropout, distances and types are drawn from torch's own generator.
    precision
        Of the recurrence and matrix products.
    """

    def __init__(
        self,
        model: LanguageModel,
        pieces: Sequences,
        held_out: Sequences,
        settings: Config,
        *,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model, self.pieces, self.held_out = model.to(device), pieces, held_out
        self.config, self.clip_norm, self.seed = (
            settings.pretraining,
            settings.training.clip_norm,
            settings.seed,
        )
        self.device, self.precision, self.epochs = device, precision, settings.pretraining.epochs
        self.optimizer = torch.optim.AdamW(
            model.parameters(),
            lr=self.config.learning_rate,
            weight_decay=settings.training.weight_decay,
            fused=device.type in ("cpu", "cuda"),
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision != torch.float32)
        counts = np.bincount(pieces.values, minlength=len(model.bias))
        self.kept = keeping_rates(counts, self.config.subsample, device)
        predicted = counts if self.kept is None else counts * self.kept.cpu().numpy()
        self.rates = sampling_rates(predicted, self.config.negatives).to(device)
        self.resident = resident(pieces, device)
        self.epoch = self.step = self.updates = 0
        self.history: list[dict[str, Any]] = []
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self.step, self.tokens, self.seen, self.seconds = 0, 0, 0, 0.0
        self.loss_sum = torch.zeros((), device=self.device)

    @property
    def running_loss(self) -> float:
        """Mean loss a prediction, over the sampled types, of the epoch so far; waits for the device."""
        return float(self.loss_sum) / max(1, self.seen)

    def run(self) -> Iterator[Step | Epoch]:
        """Train from the present state to the end."""
        lengths = self.pieces.lengths
        while self.epoch < self.epochs:
            generator = np.random.default_rng([self.seed, self.epoch])
            batches = buckets(lengths, self.config.batch_size, self.config.batch_tokens, generator)
            self.model.train()
            while self.step < len(batches):
                begun = time.perf_counter()
                batch = pack(self.pieces, batches[self.step], self.device, self.resident)
                progress = (self.epoch + self.step / len(batches)) / self.epochs
                self._update(batch.inputs, self.config.learning_rate * schedule("one_cycle", progress))
                self.step += 1
                self.tokens += batch.tokens
                self.seconds += time.perf_counter() - begun
                yield Step(self.epoch + 1, self.step, len(batches), batch.tokens)
            yield Epoch(self._end_epoch(padding(batches, lengths)))

    def _update(self, inputs: torch.nn.utils.rnn.PackedSequence, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            losses = self.model.losses(inputs, self.rates, self.kept)
        self.optimizer.zero_grad(set_to_none=True)
        mean = losses.sum() / max(1, len(losses))  # there may be none, if all tokens are frequent
        torch.autograd.backward(self.scaler.scale(mean))
        if self.clip_norm:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.updates += 1
        self.loss_sum += losses.detach().sum()
        self.seen += len(losses)

    def _end_epoch(self, padded: float) -> dict[str, Any]:
        begun = time.perf_counter()
        held_out = None
        if len(self.held_out):
            held_out = held_out_loss(self.model, self.held_out, self.device, self.kept)
        if not math.isfinite(self.running_loss + (held_out or 0)):
            raise SentimentError(
                f"pretraining diverged in pass {self.epoch + 1}; lower pretraining.learning_rate or "
                "training.clip_norm"
            )
        record = {
            "epoch": self.epoch + 1,
            "loss": self.running_loss,
            "held_out_loss": held_out,
            "tokens": self.tokens,
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
            "padding": padded,
            "seconds": self.seconds + time.perf_counter() - begun,
        }
        self.history.append(record)
        self.epoch += 1
        self._begin_epoch()
        return record

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        parameters: dict[str, Tensor] = dict(self.model.named_parameters())
        groups: checkpoint.Groups = {"model": parameters, "sums": {"loss": self.loss_sum}}
        counters = {name: getattr(self, name) for name in COUNTERS}
        checkpoint.save(path, groups, counters, self.optimizer, self.scaler, self.device)

    def restore(self, path: Path) -> None:
        """Go back to the state of a checkpoint."""
        groups, counters = checkpoint.restore(path, self.model, self.optimizer, self.scaler, self.device)
        for name, value in counters.items():
            setattr(self, name, value)
        self.loss_sum = groups["sums"]["loss"].to(self.device)
