"""The weights of the words of a text, or the steps of features: integrated gradients, leaving each out.

T tokens are read of a text, E numbers make up an embedding; of features, T steps of E numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.data.sequences import Sequences
from sentiment.inference.word_alignment import Words

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence

    from sentiment.models.network import Network
    from sentiment.models.ngrams import NGrams

POINTS, MOST_SEGMENTS = 32, 64  # on a segment of the path (Gauss-Legendre); then halving stops
TOLERANCE = 0.01  # of completeness: in logits, or as a share of the change if that is above 1
TOKENS = 16_384  # in a batch: bounds memory

Segments = list[tuple[float, float]]
Pair = tuple[int, int | None]  # the numbers of a class and of its rival


@dataclass(frozen=True)
class Integral:
    """Integrated gradients of the T steps of one text.

    Attributes
    ----------
    weights
        (T,) of each step.
    difference, baseline_difference
        What was asked, of the text and of as many zeros.
    error
        By how much the weights miss the change from one to the other.
    steps
        Points on the path.
    """

    weights: NDArray[np.float64]
    difference: float
    baseline_difference: float
    error: float
    steps: int


def integrate(
    difference: Callable[[PackedSequence], Tensor], vectors: Tensor, windows: Tensor | None = None
) -> Integral:
    """Integrate the gradients of what is asked of packed vectors, for one text (1, T, E).

    It is read in windows (W, L), which are places in it.

    A recurrence can be so steep somewhere on the path, near zeros above all, that no even grid sees it.
    But the integral over a part of the path is known to sum to the change over that part: so the parts
    that miss it are halved, until little is missing.
    """
    import torch
    from captum.attr import IntegratedGradients
    from torch.nn.utils.rnn import PackedSequence

    length = vectors.shape[1] if windows is None else windows.numel()
    at_once = max(1, TOKENS // length)

    def at(points: Tensor) -> Tensor:  # (S, T, E) -> (S,)
        if windows is not None and len(windows) > 1:
            points = points[:, windows].flatten(0, 1)  # (S · W, L, E)
        sizes = torch.full((points.shape[1],), len(points))
        return difference(PackedSequence(points.transpose(0, 1).flatten(0, 1), sizes))

    def along(part: Segments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (K, T), (K,)
        if len(part) > at_once:
            found = [along(part[row : row + at_once]) for row in range(0, len(part), at_once)]
            return np.concatenate([one for one, _ in found]), np.concatenate([one for _, one in found])
        begin, end = torch.tensor(part, device=vectors.device)[:, :, None, None].unbind(1)
        attributions, errors = IntegratedGradients(at).attribute(
            end * vectors, begin * vectors, n_steps=POINTS, return_convergence_delta=True,
            internal_batch_size=at_once,
        )  # fmt: skip
        weights = attributions.detach().double().cpu().sum(2)
        return weights.numpy(), errors.detach().double().cpu().numpy()

    with torch.no_grad():
        before, after = at(torch.cat([0 * vectors, vectors])).tolist()
    tolerance = TOLERANCE * max(1.0, abs(after - before))
    segments: Segments = [(0.0, 1.0)]
    weights, errors = along(segments)
    while np.abs(errors).sum() > tolerance and len(segments) < MOST_SEGMENTS:
        order = np.argsort(np.abs(errors))
        kept = order[np.abs(errors)[order].cumsum() <= tolerance / 2]
        halves = [
            half
            for begin, end in (segments[row] for row in order[len(kept) :])
            for half in ((begin, (begin + end) / 2), ((begin + end) / 2, end))
        ]
        new_weights, new_errors = along(halves)
        segments = [segments[row] for row in kept] + halves
        weights = np.concatenate([weights[kept], new_weights])
        errors = np.concatenate([errors[kept], new_errors])
    total = weights.sum(0)
    error = float(total.sum() - (after - before))
    return Integral(total, after, before, error, POINTS * len(segments))


def classify(model: Network, inputs: PackedSequence, windows: int) -> Tensor:
    """Return logits (B, C) of packed vectors, in bounded memory if a text has very many windows."""
    import torch

    from sentiment.models.network import in_parts, joined, reread

    parts = list(in_parts(inputs, TOKENS))
    read = [model.read(inputs)] if len(parts) == 1 else [reread(model, part) for part in parts]
    texts = int(inputs.batch_sizes[0]) // windows
    counts = torch.full((texts,), windows, device=inputs.data.device) if windows > 1 else None
    return model.decide(joined(read), counts)


def leave_one_out(
    model: Network,
    words: Words,
    of: int,
    against: int | None,
    limited: Callable[[Sequences], Sequences],
    table: NGrams | None = None,
) -> NDArray[np.float64]:
    """Return by how much the difference of logits falls without each word, or with an unknown one, (W,).

    `limited` is what the tokenizer does to longer texts.
    """
    from sentiment.models.network import infer

    def and_without(ids: NDArray[Any], owners: NDArray[np.int64]) -> Sequences:
        kept = [owners != word for word in range(len(words.spans))]
        if "middle" in model.config.pooling:  # where a word stands matters: the others must not move up
            rest = [ids.copy() for _ in kept]
            for some, mask in zip(rest, kept, strict=True):
                some[~mask] = words.nothing
        else:
            rest = [ids[mask] for mask in kept]
        return Sequences.of([ids, *(some if len(some) else words.nothing for some in rest)])

    sequences = limited(and_without(words.ids, words.owners))
    logits = infer(model, sequences, model.linear.weight.device)
    if table is not None:
        logits = logits + table.logits(and_without(words.whole, words.whole_owners))
    differences = between(logits, (of, against))
    drops: NDArray[np.float64] = differences[0] - differences[1:]
    return drops


def between(logits: NDArray[np.float64], pair: Pair) -> NDArray[np.float64]:
    """Return the logits (K, C) of a class, less those of its rival if there is one, (K,)."""
    of, against = pair
    return logits[:, of] if against is None else logits[:, of] - logits[:, against]


def agreement(weights: NDArray[np.float64], drops: NDArray[np.float64]) -> float | None:
    """Return the rank correlation (Spearman) of two ways to weigh words; None of fewer than three."""
    from scipy.stats import spearmanr

    if len(weights) < 3 or np.ptp(weights) == 0 or np.ptp(drops) == 0:
        return None
    return float(spearmanr(weights, drops).statistic)
