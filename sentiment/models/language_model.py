"""A language model whose embedding and recurrence a classifier can begin from.

It predicts the next token, or one of the next few, which tells more of meaning than of grammar and is
learned in fewer passes (Johnson & Zhang 2016). As in skip-gram (Mikolov et al. 2013), the distance is drawn
each time, and frequent tokens are predicted more seldom.

Shapes: B sequences in a batch, N steps of all (packed), M = R · (N − B) predictions with R directions,
less those left out, V types in the vocabulary, E numbers in an embedding, H units of a direction, S
sampled types.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sentiment.core.errors import UsageError
from sentiment.core.sections.model import ModelConfig
from sentiment.data.sequences import Sequences
from sentiment.models.batches import in_order, positions
from sentiment.models.classifier import CELLS
from sentiment.models.network import INFERENCE_SIZE, Embedding

SMOOTHING = 0.75  # exponent of the frequencies that types are sampled by (Mikolov et al. 2013)
ROWS, TOKENS = 512, 4096  # predictions at once over the whole vocabulary; tokens in a batch of them


class LanguageModel(nn.Module):
    """Predict a next token from the states forward, and a previous one from those backward.

    Each direction may see its own side only. A second layer would mix both, so with two directions there is
    one layer.

    Parameters
    ----------
    config
        Cell, sizes and dropouts, as of a classifier; its pooling is not used.
    tied
        Predict with the embeddings themselves (Press and Wolf 2017).
    vectors
        (V, E) initial embeddings; random if left out.
    horizon
        Number of next tokens of which one is predicted; 1: the next token.

    Raises
    ------
    UsageError
        If there are two directions of several layers.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        vocab_size: int,
        embedding_size: int,
        tied: bool = True,
        vectors: Tensor | None = None,
        horizon: int = 1,
    ) -> None:
        super().__init__()
        self.horizon = horizon
        if config.bidirectional and config.layers > 1:
            raise UsageError(
                f"model.layers = {config.layers} with model.bidirectional: the second layer would see what "
                "it has to predict; pretrain with --set model.layers=1 or --set model.bidirectional=false"
            )
        self.embedding = Embedding(vocab_size, embedding_size, config, vectors)
        self.recurrence = CELLS[config.kind](
            embedding_size, config.hidden_size, config.layers,
            bidirectional=config.bidirectional, dropout=config.layer_dropout,
        )  # fmt: skip
        self.recurrence.weight_dropout = config.weight_dropout
        self.dropout = nn.Dropout(config.output_dropout)
        directions = 2 if config.bidirectional else 1
        sizes = config.hidden_size, embedding_size
        self.projections = nn.ModuleList(nn.Linear(*sizes) for _ in range(directions))
        # Vectors of their own begin as the embeddings.
        self.vectors = None if tied else nn.Parameter(self.embedding.weight.detach().clone())
        self.bias = nn.Parameter(torch.zeros(vocab_size))

    @property
    def output_vectors(self) -> Tensor:
        """(V, E): what a prediction is multiplied with."""
        return self.embedding.weight if self.vectors is None else self.vectors

    def forward(self, inputs: PackedSequence, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return predictions (M, E) and the ids (M,) they are about, for packed ids (N,).

        With rates `kept` (V,), a prediction is made with the rate of its type only.
        """
        output, _ = self.recurrence(PackedSequence(self.embedding(inputs), inputs.batch_sizes))
        states = self.dropout(output.data).chunk(len(self.projections), 1)  # R of (N, H)
        slot, step = positions(inputs.batch_sizes, output.data.device)
        sizes = inputs.batch_sizes.to(output.data.device)
        first = sizes.cumsum(0) - sizes  # (T,) row at which a step begins
        length = torch.bincount(slot)[slot]  # (N,) of the sequence that a row is of
        sides = [(1, length - 1 - step), (-1, step)]  # which way is predicted, and how many tokens are there
        predicted, targets = [], []
        for project, state, (way, rest) in zip(self.projections, states, sides, strict=False):
            read = rest.nonzero()[:, 0]
            there = step[read] + way * self._distances(step[read], rest[read])
            asked = inputs.data[first[there] + slot[read]].long()
            if kept is not None:
                few = (torch.rand(len(asked), device=asked.device) < kept[asked]).nonzero()[:, 0]
                read, asked = read[few], asked[few]
            predicted.append(project(state[read]))
            targets.append(asked)
        return torch.cat(predicted), torch.cat(targets)

    def _distances(self, step: Tensor, rest: Tensor) -> Tensor:
        """Return how far ahead each prediction looks among the `rest` tokens; drawn in training."""
        most = rest.clamp(max=self.horizon)
        if self.training and self.horizon > 1:
            return 1 + (torch.rand(most.shape, device=most.device) * most).long()
        return 1 + step % most

    def losses(self, inputs: PackedSequence, rates: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return the losses (M,) by `sampled_softmax`, with types drawn by their rates (V,)."""
        predicted, targets = self(inputs, kept)
        sampled = (torch.rand(rates.shape, device=rates.device) < rates).nonzero()[:, 0]
        return sampled_softmax(predicted, targets, self.output_vectors, self.bias, sampled, rates.log())


def sampled_softmax(
    predicted: Tensor, targets: Tensor, vectors: Tensor, bias: Tensor, sampled: Tensor, log_rates: Tensor
) -> Tensor:
    """Return the cross-entropies (M,) of a softmax over the target and the sampled types only.

    The logarithm of a type's sampling rate is taken from its logit, so that the solution is that of the whole
    softmax (Jean et al. 2015, Bengio and Senécal 2008). With all types sampled at a rate of 1, it is the
    whole softmax.

    Parameters
    ----------
    predicted, targets
        (M, E) and ids (M,).
    vectors, bias, log_rates
        (V, E), (V,) and (V,) of the types; a rate is the probability that a type is sampled.
    sampled
        (S,) different ids, shared by all predictions.
    """
    offsets = bias - log_rates
    own = (predicted * F.embedding(targets, vectors)).sum(1).float() + offsets[targets]  # (M,)
    others = predicted @ F.embedding(sampled, vectors).t()  # (M, S)
    others = others.float() + offsets[sampled]
    place = targets.new_full(bias.shape, -1)
    place[sampled] = torch.arange(len(sampled), device=place.device)
    column = place[targets]  # where the target is among the sampled ones; it must count once
    row = (column >= 0).nonzero()[:, 0]
    others[row, column[row]] = float("-inf")
    return F.softplus(others.logsumexp(1) - own)


def keeping_rates(counts: NDArray[np.int64], subsample: float, device: torch.device) -> Tensor | None:
    """Return the probabilities (V,) with which a type is predicted where it occurs; None: always.

    A type with a share s of all counts (V,) is kept with the square root of subsample / s (Mikolov et al.
    2013).
    """
    if not subsample:
        return None
    shares = np.maximum(counts, 1) / max(1, counts.sum())
    return torch.from_numpy(np.minimum(1, np.sqrt(subsample / shares)).astype(np.float32)).to(device)


def sampling_rates(counts: NDArray[Any], expected: int) -> Tensor:
    """Return the probabilities (V,) with which types are sampled, each for itself.

    They are proportional to the smoothed counts (V,), but at most 1, and their sum is `expected`; if that
    is 0, or as many as there are types, all are 1.
    """
    if not 0 < expected < len(counts):
        return torch.ones(len(counts))
    weights = np.maximum(counts, 1) ** SMOOTHING
    certain = np.zeros(len(counts), bool)
    while True:
        rates = np.where(certain, 1.0, weights * ((expected - certain.sum()) / weights[~certain].sum()))
        if not (over := ~certain & (rates > 1)).any():
            return torch.from_numpy(rates.astype(np.float32))
        certain |= over


def held_out_loss(
    model: LanguageModel, pieces: Sequences, device: torch.device, kept: Tensor | None = None
) -> float:
    """Return the mean loss a prediction over the whole vocabulary, weighted by the rates `kept` (V,)."""
    model.eval()
    if kept is None:
        kept = torch.ones(len(model.bias), device=device)
    total, count = 0.0, 0.0
    with torch.inference_mode():
        for batch in in_order(pieces, INFERENCE_SIZE, TOKENS, device):
            predicted, targets = model(batch.inputs)
            for rows, ids in zip(predicted.split(ROWS), targets.split(ROWS), strict=True):
                logits = torch.addmm(model.bias, rows, model.output_vectors.t())
                total += float(F.cross_entropy(logits, ids, reduction="none") @ kept[ids])
            count += float(kept[targets].sum())
    return total / max(1e-9, count)
