"""What is left of a decision without each word, or step of features: a check of integrated gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.data.sequences import Sequences
from sentiment.inference.word_alignment import Words

if TYPE_CHECKING:
    from sentiment.models.network import Network
    from sentiment.models.ngrams import NGrams


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
    differences = logits[:, of] if against is None else logits[:, of] - logits[:, against]
    drops: NDArray[np.float64] = differences[0] - differences[1:]
    return drops


def agreement(weights: NDArray[np.float64], drops: NDArray[np.float64]) -> float | None:
    """Return the rank correlation (Spearman) of two ways to weigh words; None of fewer than three."""
    from scipy.stats import spearmanr

    if len(weights) < 3 or np.ptp(weights) == 0 or np.ptp(drops) == 0:
        return None
    return float(spearmanr(weights, drops).statistic)
