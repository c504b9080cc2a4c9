"""The training of a language model."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sentiment.core.config import Config
from sentiment.core.errors import SentimentError
from sentiment.data.sequences import Sequences
from sentiment.models.batches import Batch, buckets, pack, resident
from sentiment.models.language_model import LanguageModel, held_out_loss, keeping_rates, sampling_rates
from sentiment.training.loop import Loop, Order


class Pretrainer(Loop[LanguageModel]):
    """Train a language model.

    Parameters
    ----------
    pieces, held_out
        Of two tokens or more. The latter judge each pass; nothing is chosen by them.
    settings
        Their parts ``pretraining``, and clipping and weight decay of ``training``; the seed is that of
        the order. Dropout, distances and types are drawn from torch's own generator.
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
        self.pieces, self.held_out = pieces, held_out
        self.seed, self.settings, asked = settings.seed, settings.pretraining, settings.pretraining
        config = settings.training.model_copy(
            update={"learning_rate": asked.learning_rate, "schedule": "one_cycle", "ema": 0.0}
        )
        groups = [{"params": list(model.parameters()), "share": 1.0}]
        super().__init__(model, groups, config, asked.epochs, device, precision)
        counts = np.bincount(pieces.values, minlength=len(model.bias))
        self.keeping = keeping_rates(counts, asked.subsample, device)
        predicted = counts if self.keeping is None else counts * self.keeping.cpu().numpy()
        self.rates = sampling_rates(predicted, asked.negatives).to(device)
        self.resident = resident(pieces, device)

    def order(self) -> Order:
        """Draw the batches of the present pass."""
        generator = np.random.default_rng([self.seed, self.epoch])
        lengths = self.pieces.lengths
        batches = buckets(lengths, self.settings.batch_size, self.settings.batch_tokens, generator)
        return Order(batches, lengths, lambda rows: [pack(self.pieces, rows, self.device, self.resident)])

    def backward(self, batch: Batch, *_: Batch) -> tuple[Tensor, int]:
        """Add the gradients of the mean loss of a prediction."""
        with self.autocast():
            losses = self.model.losses(batch.inputs, self.rates, self.keeping)
        total, count = losses.sum(), len(losses)
        # There may be none, if all tokens are frequent.
        torch.autograd.backward(self.scaler.scale(total / max(1, count)))
        return total, count

    def judge(self, loss: float) -> dict[str, Any]:
        """Say how well texts are predicted that are not learned from."""
        held_out = None
        if len(self.held_out):
            held_out = held_out_loss(self.model, self.held_out, self.device, self.keeping)
        if not math.isfinite(loss + (held_out or 0)):
            raise SentimentError(
                f"pretraining diverged in pass {self.epoch + 1}; lower pretraining.learning_rate or "
                "training.clip_norm"
            )
        return {"held_out_loss": held_out}
