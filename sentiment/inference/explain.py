"""Which words, or steps of features, carried a decision: integrated gradients, with a check.

What is explained is the logit of a class less that of its best rival, so a weight above 0 speaks for
the class, and one below for the rival. Where a text may have several labels it is the logit of one of them,
and the rival is to be without it. T tokens are read of a text, E numbers make up an embedding; of
features, T steps of E numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.core.errors import UsageError, did_you_mean, listed
from sentiment.data.sequences import Sequences
from sentiment.inference.attribution import (
    Integral,
    Pair,
    agreement,
    between,
    classify,
    integrate,
    leave_one_out,
)  # fmt: skip
from sentiment.inference.predictor import Prediction, Predictor, check_several
from sentiment.inference.word_alignment import FINDERS, Words

if TYPE_CHECKING:
    from torch import Tensor

MOST_STEPS = 1_000_000  # to read, until leaving out each word takes too long

NOTHING = Sequences.of([[]])  # one text without tokens


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
    shares = prediction.probabilities
    several = prediction.labels is not None
    if label is None:
        label = max(shares, key=shares.__getitem__) if several else prediction.label
    rival = None
    if not several:
        rival = against or max((name for name in shares if name != label), key=shares.__getitem__)
    pair = predictor.labels.index(label), None if rival is None else predictor.labels.index(rival)
    tokenizer, table = predictor.bundle.tokenizer, predictor.bundle.ngrams
    words = FINDERS[predictor.bundle.input.kind](tokenizer, tokenizer.read(text))
    integral = _of_recurrence(predictor, words, pair)
    weights = np.zeros(len(words.spans))
    np.add.at(weights, words.owners, integral.weights)
    read = np.bincount(words.owners, minlength=len(words.spans)) > 0
    temperature = predictor.bundle.decision.temperature
    if table is not None:  # its logits are sums over all tokens, also those that the recurrence does not read
        each = between(table.contributions(words.whole), pair) / temperature
        bias = float(between(table.logits(NOTHING), pair)[0]) / temperature
        np.add.at(weights, words.whole_owners, each)
        read[:] = True
        integral = replace(
            integral,
            difference=integral.difference + float(each.sum()) + bias,
            baseline_difference=integral.baseline_difference + bias,
        )
    drops = None
    if len(words.spans) * max(len(words.ids), len(words.whole)) <= MOST_STEPS:
        model = predictor.bundle.model
        drops = leave_one_out(model, words, *pair, tokenizer.limited, table) / temperature

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
        integral.difference,
        integral.baseline_difference,
        integral.error,
        integral.steps,
        None if drops is None else agreement(weights[read], drops[read]),
        prediction.unsure,
        prediction.truncated,
        words.unit,
    )


def _of_recurrence(predictor: Predictor, words: Words, pair: Pair) -> Integral:
    """Integrate the difference of two logits of the recurrence, over what it reads of one text."""
    import torch
    from torch.nn.utils.rnn import PackedSequence

    bundle = predictor.bundle
    device = predictor.torch_device
    model = bundle.model.to(device).eval()
    steps = torch.from_numpy(words.ids).to(device)
    with torch.no_grad():
        vectors = model.embed(PackedSequence(steps, torch.ones(len(steps), dtype=torch.long))).data
    starts, lengths, _ = bundle.tokenizer.limited(Sequences.of([words.ids])).windows(np.array([0]))
    windows = torch.from_numpy(starts[:, None] + np.arange(lengths[0])).to(device)  # (W, L)

    def difference(inputs: PackedSequence) -> Tensor:  # (B · W windows) -> (B,)
        logits = classify(model, inputs, len(windows)) / bundle.decision.temperature
        return logits[:, pair[0]] if pair[1] is None else logits[:, pair[0]] - logits[:, pair[1]]

    # cuDNN has no gradients of a recurrence outside of training.
    with torch.backends.cudnn.flags(enabled=False):
        return integrate(difference, vectors[None], windows)
