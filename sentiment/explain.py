"""Which words carried a decision: integrated gradients, and leaving out one word as a check.

What is explained is the logit of a class less that of its best rival, so a weight above 0 speaks for
the class, and one below for the rival. T tokens are read of a text, E numbers make up an embedding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.errors import UsageError, did_you_mean, listed
from sentiment.predictor import Prediction, Predictor
from sentiment.sequences import Sequences
from sentiment.tokenizer import UNKNOWN_ID
from sentiment.words import Words, find_words

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence

    from sentiment.model import SequenceClassifier

POINTS, MOST_SEGMENTS = 32, 64  # on a segment of the path (Gauss-Legendre); then halving stops
TOLERANCE = 0.01  # of completeness: in logits, or as a share of the change if that is above 1
TOKENS = 16_384  # in a batch: bounds memory

Segments = list[tuple[float, float]]


@dataclass(frozen=True)
class Word:
    """A word, and what it did.

    Attributes
    ----------
    start, end
        Where it stands, in characters of the text.
    weight
        What it adds to the difference of logits, by integrated gradients; None if truncation cut it off.
    leave_one_out
        By how much the difference falls without the word; None likewise. With the pooling "middle" the
        word is made unknown instead, so that the others stay in their places.
    """

    start: int
    end: int
    text: str
    weight: float | None
    leave_one_out: float | None


@dataclass(frozen=True)
class Explanation:
    """Why the model says what it says of one text.

    Attributes
    ----------
    label, probability, unsure, truncated
        Of the prediction.
    explained, explained_probability
        The class that is explained.
    against
        Its rival: the most probable other class.
    words
        All words of the text, in order.
    difference
        Logit of the explained class less that of the rival, both divided by the temperature of the
        decision, as for the probabilities.
    baseline_difference
        The same for as many empty words; the weights sum to the difference less this.
    completeness_error
        By how much their sum misses that.
    steps
        Points on the path of integration.
    agreement
        Rank correlation (Spearman) of the weights with `leave_one_out`; None below three words.
    """

    text: str
    label: str
    probability: float
    explained: str
    explained_probability: float
    against: str
    words: list[Word]
    difference: float
    baseline_difference: float
    completeness_error: float
    steps: int
    agreement: float | None
    unsure: bool
    truncated: bool

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary, ready for JSON, in which the explained class is ``class``."""
        names = {"explained": "class", "explained_probability": "class_probability"}
        return {names.get(name, name): value for name, value in asdict(self).items()}

    def strongest(self, count: int, favour: bool) -> list[Word]:
        """Return the words that speak most for the class, or most against it."""
        sign = 1 if favour else -1
        found = [word for word in self.words if word.weight is not None and sign * word.weight > 0]
        return sorted(found, key=lambda word: -sign * (word.weight or 0))[:count]


def explain(predictor: Predictor, texts: Iterable[str], label: str | None = None) -> list[Explanation]:
    """Say for each text which words carried the decision.

    Integrated gradients (Sundararajan et al. 2017) along the straight line from empty words to the
    words of the text, that is from zeros to their embeddings. Zeros are what training gave for a dropped
    word. From ``<unk>`` instead, the ranks agree with `leave_one_out` about as well, now better and now
    worse, but an unknown word could never have a weight. The path is refined until the weights sum to
    what they should, or the points run out: `completeness_error` tells.

    Parameters
    ----------
    label
        Class to explain; the predicted one if left out.

    Raises
    ------
    UsageError
        If the model has no such class.
    ValueError
        If a text is empty or no string.
    """
    if label is not None and label not in predictor.labels:
        hint = did_you_mean(label, predictor.labels)
        raise UsageError(f"no class {label!r}{hint}; the model knows: {listed(predictor.labels)}")
    texts = list(texts)
    predictions = predictor.predict(texts)
    return [_explain(predictor, text, found, label) for text, found in zip(texts, predictions, strict=True)]


def _explain(predictor: Predictor, text: str, prediction: Prediction, label: str | None) -> Explanation:
    import torch

    shares = prediction.probabilities
    label = prediction.label if label is None else label
    rival = max((name for name in shares if name != label), key=shares.__getitem__)
    pair = predictor.labels.index(label), predictor.labels.index(rival)
    device = predictor.torch_device
    model = predictor.bundle.model.to(device).eval()
    words = find_words(predictor.bundle.tokenizer, text)
    assert model.embedding is not None
    ids = torch.from_numpy(words.ids).long().to(device)
    temperature = predictor.bundle.decision.temperature

    def difference(inputs: PackedSequence) -> Tensor:  # (B,)
        logits = model.classify(inputs) / temperature
        return logits[:, pair[0]] - logits[:, pair[1]]

    # cuDNN has no gradients of a recurrence outside of training.
    with torch.backends.cudnn.flags(enabled=False):
        found = _integrate(difference, model.embedding.weight.detach()[ids][None])
    weights = np.zeros(len(words.spans))
    np.add.at(weights, words.owners, found.weights)
    drops = _leave_one_out(model, words, *pair) / temperature
    read = np.bincount(words.owners, minlength=len(words.spans)) > 0
    return Explanation(
        text,
        prediction.label,
        prediction.probability,
        label,
        shares[label],
        rival,
        [
            Word(start, end, text[start:end], *((float(weight), float(drop)) if there else (None, None)))
            for (start, end), weight, drop, there in zip(words.spans, weights, drops, read, strict=True)
        ],
        found.difference,
        found.baseline_difference,
        found.error,
        found.steps,
        _agreement(weights[read], drops[read]),
        prediction.unsure,
        prediction.truncated,
    )


@dataclass(frozen=True)
class _Integral:
    weights: NDArray[np.float64]  # (T,)
    difference: float
    baseline_difference: float
    error: float
    steps: int


def _integrate(difference: Callable[[PackedSequence], Tensor], vectors: Tensor) -> _Integral:
    """Integrate the gradients of what is asked of packed embeddings, for one text (1, T, E).

    A recurrence can be so steep somewhere on the path, near zeros above all, that no even grid sees it.
    But the integral over a part of the path is known to sum to the change over that part: so the parts
    that miss it are halved, until little is missing.
    """
    import torch
    from captum.attr import IntegratedGradients
    from torch.nn.utils.rnn import PackedSequence

    length = vectors.shape[1]

    def at(points: Tensor) -> Tensor:  # (S, T, E) -> (S,)
        sizes = torch.full((length,), len(points))
        return difference(PackedSequence(points.transpose(0, 1).flatten(0, 1), sizes))

    def along(part: Segments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # (K, T), (K,)
        begin, end = torch.tensor(part, device=vectors.device)[:, :, None, None].unbind(1)
        attributions, errors = IntegratedGradients(at).attribute(
            end * vectors, begin * vectors, n_steps=POINTS, return_convergence_delta=True,
            internal_batch_size=max(len(part), TOKENS // length),
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
    return _Integral(total, after, before, error, POINTS * len(segments))


def _leave_one_out(model: SequenceClassifier, words: Words, of: int, against: int) -> NDArray[np.float64]:
    """Return by how much the difference of logits falls without each word, or with an unknown one, (W,)."""
    from sentiment.model import infer

    kept = [words.owners != word for word in range(len(words.spans))]
    if "middle" in model.config.pooling:  # where a word stands matters: the others must not move up
        rest = [np.where(mask, words.ids, np.int32(UNKNOWN_ID)) for mask in kept]
    else:
        rest = [words.ids[mask] for mask in kept]
    nothing = np.array([UNKNOWN_ID], np.int32)  # what the tokenizer gives for a text without tokens
    sequences = Sequences.of([words.ids, *(ids if len(ids) else nothing for ids in rest)])
    probabilities = infer(model, sequences, model.linear.weight.device)
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    differences = logs[:, of] - logs[:, against]
    drops: NDArray[np.float64] = differences[0] - differences[1:]
    return drops


def _agreement(weights: NDArray[np.float64], drops: NDArray[np.float64]) -> float | None:
    from scipy.stats import spearmanr

    if len(weights) < 3 or np.ptp(weights) == 0 or np.ptp(drops) == 0:
        return None
    return float(spearmanr(weights, drops).statistic)
