"""Which words, or steps of features, carried a decision: integrated gradients, with a check.

What is explained is the logit of a class less that of its best rival, so a weight above 0 speaks for
the class, and one below for the rival. Where a text may have several labels it is the logit of one of them,
and the rival is to be without it. T tokens are read of a text, E numbers make up an embedding; of
features, T steps of E numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import UsageError, did_you_mean, listed
from sentiment.data.features import Features
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import UNKNOWN_ID
from sentiment.inference.predictor import Prediction, Predictor, check_several
from sentiment.inference.word_alignment import Words, find_steps, find_words

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn.utils.rnn import PackedSequence

    from sentiment.models.network import Network
    from sentiment.models.ngrams import NGrams

POINTS, MOST_SEGMENTS = 32, 64  # on a segment of the path (Gauss-Legendre); then halving stops
TOLERANCE = 0.01  # of completeness: in logits, or as a share of the change if that is above 1
TOKENS = 16_384  # in a batch: bounds memory
MOST_STEPS = 1_000_000  # to read, until leaving out each word takes too long

NOTHING = Sequences.of([[]])  # one text without tokens

Segments = list[tuple[float, float]]


@dataclass(frozen=True)
class Word:
    """A word, and what it did.

    Attributes
    ----------
    start, end
        Where it stands, in characters of the text.
    weight
        What it adds to the difference of logits, by integrated gradients; None if truncation cut it off, and
        no n-grams stand beside the recurrence, which read all.
    leave_one_out
        By how much the difference falls without the word; None likewise, and in a text that is too long
        to be read without each of its words. With the pooling "middle" the word is made unknown instead, so
        that the others stay in their places.
    """

    start: int
    end: int
    text: str
    weight: float | None
    leave_one_out: float | None


@dataclass(frozen=True)
class Explanation:
    """Why the model says what it says of one text, or sequence of features.

    Attributes
    ----------
    text
        Of features, the numbers of the steps: "1 2 3 …".
    label, probability, unsure, truncated
        Of the prediction.
    explained, explained_probability
        The class, or label, that is explained.
    against
        Its rival: the most probable other class; None where a text may have several labels.
    words
        All words of the text, in order; of features, the steps.
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
        Rank correlation (Spearman) of the weights with `leave_one_out`; None below three words, or without.
    unit
        What the words are called: word, or step.
    """

    text: str
    label: str
    probability: float
    explained: str
    explained_probability: float
    against: str | None
    words: list[Word]
    difference: float
    baseline_difference: float
    completeness_error: float
    steps: int
    agreement: float | None
    unsure: bool
    truncated: bool
    unit: str = "word"

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary, ready for JSON, in which the explained class is ``class``."""
        names = {"explained": "class", "explained_probability": "class_probability"}
        return {names.get(name, name): value for name, value in asdict(self).items() if name != "unit"}

    def strongest(self, count: int, favour: bool) -> list[Word]:
        """Return the words that speak most for the class, or most against it."""
        sign = 1 if favour else -1
        found = [word for word in self.words if word.weight is not None and sign * word.weight > 0]
        return sorted(found, key=lambda word: -sign * (word.weight or 0))[:count]


def explain(
    predictor: Predictor, texts: Iterable[Any], label: str | None = None, against: str | None = None
) -> list[Explanation]:
    """Say for each text which words carried the decision, or for features (T, F) which steps.

    Integrated gradients (Sundararajan et al. 2017) along the straight line from empty words to the
    words of the text, that is from zeros to their embeddings. Zeros are what training gave for a dropped
    word; of features, they are the mean step. From ``<unk>`` instead, the ranks agree with `leave_one_out`
    about as well, now better and now worse, but an unknown word could never have a weight. The path is
    refined until the weights sum to what they should, or the points run out: `completeness_error` tells.

    Parameters
    ----------
    label
        Class to explain; the predicted one if left out, of several labels the most probable, and of grades
        the highest against the lowest, so that what is above 0 always speaks for a higher grade.
    against
        Its rival, which several labels have not; the most probable other class if left out.

    Raises
    ------
    UsageError
        If the model has no such class.
    ValueError
        If a text is empty or no string, or features are not those of the model; of one text, or a table.
    """
    if label is not None and label not in predictor.labels:
        hint = did_you_mean(label, predictor.labels)
        raise UsageError(f"no class {label!r}{hint}; the model knows: {listed(predictor.labels)}")
    check_several(texts, "explain")
    texts = list(texts)
    predictions = predictor.predict(texts)
    if label is None and predictor.task.ordered:
        label, against = predictor.labels[-1], predictor.labels[0]
    return [
        _explain(predictor, text, found, label, against)
        for text, found in zip(texts, predictions, strict=True)
    ]


def _explain(
    predictor: Predictor, text: Any, prediction: Prediction, label: str | None, against: str | None
) -> Explanation:
    import torch

    shares = prediction.probabilities
    several = prediction.labels is not None
    if label is None:
        label = max(shares, key=shares.__getitem__) if several else prediction.label
    rival = None
    if not several:
        rival = against or max((name for name in shares if name != label), key=shares.__getitem__)
    pair = predictor.labels.index(label), None if rival is None else predictor.labels.index(rival)
    device = predictor.torch_device
    model = predictor.bundle.model.to(device).eval()
    tokenizer = predictor.bundle.tokenizer
    if isinstance(tokenizer, Features):
        words = find_steps(tokenizer, tokenizer.read(text))
        vectors = torch.from_numpy(words.ids).to(device)
    else:
        words = find_words(tokenizer, text)
        assert model.embedding is not None
        vectors = model.embedding.weight.detach()[torch.from_numpy(words.ids).long().to(device)]
    starts, lengths, _ = tokenizer.limited(Sequences.of([words.ids])).windows(np.array([0]))
    windows = torch.from_numpy(starts[:, None] + np.arange(lengths[0])).to(device)  # (W, L)
    temperature = predictor.bundle.decision.temperature

    def difference(inputs: PackedSequence) -> Tensor:  # (B · W windows) -> (B,)
        logits = _classify(model, inputs, len(windows)) / temperature
        return logits[:, pair[0]] if pair[1] is None else logits[:, pair[0]] - logits[:, pair[1]]

    # cuDNN has no gradients of a recurrence outside of training.
    with torch.backends.cudnn.flags(enabled=False):
        found = _integrate(difference, vectors[None], windows)
    table = predictor.bundle.ngrams
    weights = np.zeros(len(words.spans))
    np.add.at(weights, words.owners, found.weights)
    read = np.bincount(words.owners, minlength=len(words.spans)) > 0
    if table is not None:  # its logits are sums over all tokens, also those that the recurrence does not read
        each = _between(table.contributions(words.whole), pair) / temperature
        bias = float(_between(table.logits(NOTHING), pair)[0]) / temperature
        np.add.at(weights, words.whole_owners, each)
        read[:] = True
        found = replace(
            found,
            difference=found.difference + float(each.sum()) + bias,
            baseline_difference=found.baseline_difference + bias,
        )
    drops = None
    if len(words.spans) * max(len(words.ids), len(words.whole)) <= MOST_STEPS:
        drops = _leave_one_out(model, words, *pair, tokenizer.limited, table) / temperature

    def told(values: NDArray[np.float64] | None) -> list[float | None]:
        if values is None:
            return [None] * len(read)
        return [float(value) if there else None for value, there in zip(values, read, strict=True)]

    return Explanation(
        words.text,
        prediction.label,
        prediction.probability,
        label,
        shares[label],
        rival,
        [
            Word(start, end, words.text[start:end], weight, drop)
            for (start, end), weight, drop in zip(words.spans, *map(told, (weights, drops)), strict=True)
        ],
        found.difference,
        found.baseline_difference,
        found.error,
        found.steps,
        None if drops is None else _agreement(weights[read], drops[read]),
        prediction.unsure,
        prediction.truncated,
        "step" if words.ids.ndim > 1 else "word",
    )


@dataclass(frozen=True)
class _Integral:
    weights: NDArray[np.float64]  # (T,)
    difference: float
    baseline_difference: float
    error: float
    steps: int


def _between(logits: NDArray[np.float64], pair: tuple[int, int | None]) -> NDArray[np.float64]:
    """Return the logits (K, C) of a class, less those of its rival if there is one, (K,)."""
    of, against = pair
    return logits[:, of] if against is None else logits[:, of] - logits[:, against]


def _classify(model: Network, inputs: PackedSequence, windows: int) -> Tensor:
    """Return logits (B, C) of packed vectors, in bounded memory if a text has very many windows."""
    import torch

    from sentiment.models.forward import in_parts, joined, reread

    parts = list(in_parts(inputs, TOKENS))
    read = [model.read(inputs)] if len(parts) == 1 else [reread(model, part) for part in parts]
    texts = int(inputs.batch_sizes[0]) // windows
    counts = torch.full((texts,), windows, device=inputs.data.device) if windows > 1 else None
    return model.decide(joined(read), counts)


def _integrate(
    difference: Callable[[PackedSequence], Tensor], vectors: Tensor, windows: Tensor | None = None
) -> _Integral:
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
    return _Integral(total, after, before, error, POINTS * len(segments))


def _leave_one_out(
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
    from sentiment.models.forward import infer

    # What the tokenizer gives for a text without tokens, or the mean step.
    nothing = np.array([UNKNOWN_ID], np.int32) if words.ids.ndim == 1 else np.zeros_like(words.ids[:1])

    def and_without(ids: NDArray[Any], owners: NDArray[np.int64]) -> Sequences:
        kept = [owners != word for word in range(len(words.spans))]
        if "middle" in model.config.pooling:  # where a word stands matters: the others must not move up
            rest = [np.where(mask if ids.ndim == 1 else mask[:, None], ids, nothing) for mask in kept]
        else:
            rest = [ids[mask] for mask in kept]
        return Sequences.of([ids, *(some if len(some) else nothing for some in rest)])

    sequences = limited(and_without(words.ids, words.owners))
    logits = infer(model, sequences, model.linear.weight.device)
    if table is not None:
        logits = logits + table.logits(and_without(words.whole, words.whole_owners))
    differences = logits[:, of] if against is None else logits[:, of] - logits[:, against]
    drops: NDArray[np.float64] = differences[0] - differences[1:]
    return drops


def _agreement(weights: NDArray[np.float64], drops: NDArray[np.float64]) -> float | None:
    from scipy.stats import spearmanr

    if len(weights) < 3 or np.ptp(weights) == 0 or np.ptp(drops) == 0:
        return None
    return float(spearmanr(weights, drops).statistic)
