"""Beside the recurrence, a linear model of the n-grams that a text has: wide and deep (Cheng et al. 2016).

A recurrence generalises from vectors of words; a linear model of word triples remembers turns of phrase.
Where either errs the other is often right, so their product of experts is better than both: on parts of
IMDB's training texts that have no film in common, 0.914 and 0.912 alone, 0.920 together.

The linear model is NB-SVM (Wang & Manning 2012), trained on the tokens of the whole texts, of which the
recurrence may read a part, and kept as a sparse table: hashes of the n-grams that carry most, and their
weights. Reading and applying one needs NumPy only. Shapes: B texts, T tokens of a text, M n-grams in the
table, C classes or labels, S sides: C, or of two classes the second alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from sentiment import link
from sentiment.calibration import fit_temperature, temper
from sentiment.link import MULTILABEL
from sentiment.metrics import Labels, Probabilities, quick_scores
from sentiment.sequences import Sequences

if TYPE_CHECKING:
    from sentiment.corpus import Corpus

MOST = 2**18  # n-grams in a table: of a million on IMDB, the rest together changes nothing on validation
NUMBERS = 2**20  # weights in a table, of many classes: at 2 bytes each
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # C of the SVM: the best by log loss on validation
PARTS = 4  # of the texts, each spoken of by machines that learned from the others
SHARES = np.linspace(0, 0.9, 10)  # of the n-grams in the mean of the two models' log-probabilities
# Mean and deviation of a prior on that share: a hundred validation texts do not know it.
USUAL, SPREAD = 0.4, 0.25
AT_ONCE = 2**20  # tokens: bounds memory
MULTIPLIER, MIXER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)

Hashes = NDArray[np.uint32]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class NGrams:
    """Which n-grams speak for which class.

    Attributes
    ----------
    longest
        Tokens of the longest n-grams; all shorter ones count too.
    hashes
        (M,) of n-grams, sorted.
    weights, bias
        (M, S) and (S,): logits of a text are the sum of the weights of the n-grams that it has, each once,
        and the bias; they are added to those of the recurrence.
    task
        What the logits mean, see `sentiment.link`.
    """

    longest: int
    hashes: Hashes
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    task: str = "multiclass"

    def logits(self, sequences: Sequences) -> NDArray[np.float64]:
        """Return what the n-grams say of texts, (B, C)."""
        found = np.tile(self.bias.astype(np.float64), (len(sequences), 1))
        for first, owners, hashes in _ngrams(sequences, self.longest):
            rows, places = self._present(owners, hashes)
            np.add.at(found, first + rows, self.weights[places])
        return self._sides(found)

    def added(self, probabilities: Probabilities, sequences: Sequences) -> Probabilities:
        """Return the probabilities (B, C) of the recurrence and the n-grams together."""
        logits = link.logits(probabilities, self.task) + self.logits(sequences)
        return link.probabilities(logits, self.task)

    def contributions(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return what each token of a text adds to the logits, (T, C); with the bias they sum to them.

        An n-gram is shared among its tokens, and if it occurs more than once, among its places.
        """
        each = np.zeros((len(ids), self.weights.shape[1]))
        starts, lengths, hashes = _places(ids, self.longest)
        index = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        times = np.bincount(index, minlength=len(self.hashes))
        there = self.hashes[index] == hashes
        shares = self.weights[index] / (times[index] * lengths)[:, None]
        for length in range(1, self.longest + 1):
            rows = there & (lengths == length)
            np.add.at(each, starts[rows, None] + np.arange(length), shares[rows, None])
        return self._sides(each)

    def save(self, path: Path) -> None:
        """Write the table, its weights in half precision."""
        stored: dict[str, NDArray[Any]] = {
            "hashes": self.hashes,
            "weights": self.weights.astype(np.float16),
            "bias": self.bias,
            "longest": np.array([self.longest], np.int32),
        }
        path.write_bytes(safetensors.numpy.save(stored))

    @classmethod
    def load(cls, path: Path, labels: int, task: str) -> NGrams:
        """Read a table for so many labels.

        Raises
        ------
        ValueError
            If it is none, or for other labels.
        """
        stored = safetensors.numpy.load_file(path)
        hashes, weights, bias = stored["hashes"], stored["weights"].astype(np.float32), stored["bias"]
        sides = 1 if labels == 2 and task != MULTILABEL else labels
        if weights.shape != (len(hashes), sides) or bias.shape != (sides,) or not len(hashes):
            raise ValueError(
                f"{path.name}: weights {weights.shape} and bias {bias.shape} for {labels} labels"
            )
        return cls(int(stored["longest"][0]), hashes, weights, bias, task)

    def _sides(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one column a class: of two classes, the first has a logit of 0."""
        one_of_two = found.shape[1] == 1 and self.task != MULTILABEL
        return np.concatenate([np.zeros_like(found), found], 1) if one_of_two else found

    def _present(self, rows: Rows, hashes: Hashes) -> tuple[Rows, Rows]:
        """Return texts and places in the table of the n-grams that are there, each once for a text."""
        rows, hashes = _distinct(rows, hashes)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        there = self.hashes[places] == hashes
        return rows[there], places[there]


def fit(
    corpus: Corpus,
    train: Sequences,
    labels: Labels,
    validation: Sequences,
    probabilities: Probabilities,
    longest: int,
) -> tuple[NGrams | None, dict[str, Any]]:
    """Train the n-grams of the training texts, and choose their share by the validation texts.

    Parameters
    ----------
    train, validation
        Texts as ids: to learn from, and the validation texts of the corpus.
    labels
        Of the former; those of unlabelled texts are what teachers say.
    probabilities
        (B, C) of the recurrence on the validation texts.

    Returns
    -------
    NGrams or None
        None if the recurrence is better alone, or no n-gram is in two texts.
    dict
        The part ``ngrams`` of a report: ``share``, and ``validation``, the scores of either and of both.
    """
    from sentiment.baselines import fit_nbsvm

    hashes, texts = _counted(train, longest)
    kept = texts > 1
    if not kept.any():
        return None, {"share": 0.0}
    hashes, texts = hashes[kept], texts[kept]
    held_out = corpus.validation.labels
    of_train, of_validation = (_features(part, hashes, longest) for part in (train, validation))
    task, classes = corpus.task, len(corpus.labels)
    found = fit_nbsvm(of_train, of_validation, labels, held_out, classes, task, PENALTIES)
    weights, bias = found.weights / found.temperature, found.bias / found.temperature
    # Rare n-grams decide few texts.
    most = min(MOST, NUMBERS // weights.shape[1])
    order = np.sort(np.argsort(-np.abs(weights).max(1) * np.sqrt(texts), kind="stable")[:most])
    scale = 2.0 if (classes, task) == (2, "multiclass") else 1.0  # margins of two classes count on both sides
    alone = NGrams(longest, hashes[order], _half(scale * weights[order]), _half(scale * bias), task)
    margins = alone.logits(validation)
    linear = link.probabilities(margins, task)
    temperature = fit_temperature(held_out, probabilities)
    recurrent = temper(probabilities, temperature, task)

    def tempered(both: Probabilities) -> Probabilities:
        return temper(both, fit_temperature(held_out, both), task)

    def cost(share: float) -> float:
        logits = link.logits(probabilities, task) + share / (1 - share) * temperature * margins
        loss = quick_scores(held_out, tempered(link.probabilities(logits, task)), task)["log_loss"]
        assert loss is not None
        return loss * len(held_out) + ((share - USUAL) / SPREAD) ** 2 / 2

    share = float(min(SHARES, key=cost))
    factor = share / (1 - share) * temperature
    table = NGrams(longest, alone.hashes, _half(factor * alone.weights), _half(factor * alone.bias), task)
    about = {
        "longest": longest,
        "count": len(alone.hashes),
        "C": found.penalty,
        "share": share,
        "validation": {
            "recurrent": quick_scores(held_out, recurrent, task),
            "ngrams": quick_scores(held_out, linear, task),
            "both": quick_scores(held_out, tempered(table.added(probabilities, validation)), task),
        },
    }
    return (table if share else None), about


class SecondOpinion:
    """What n-grams say of texts that a recurrence teaches them about: another view, as in co-training.

    Of a text that it learned from, a linear model of a million n-grams repeats what it was told. So each part
    of the texts is spoken of by machines that learned from the other parts (Blum & Mitchell 1998 have two
    views of unlabelled texts; the parts are what keeps them apart here).

    Parameters
    ----------
    corpus
        For its labels, and those of its validation texts.
    texts, validation
        B texts to learn from and to speak of, and V to choose by.
    longest
        Tokens of the longest n-grams.
    """

    def __init__(self, corpus: Corpus, texts: Sequences, validation: Sequences, longest: int) -> None:
        self.corpus = corpus
        hashes, counts = _counted(texts, longest)
        if (counts > 1).any():
            hashes = hashes[counts > 1]
        self.table, self.validation = (_features(part, hashes, longest) for part in (texts, validation))

    def __call__(self, labels: Labels) -> tuple[Probabilities, Probabilities]:
        """Return what they say of validation texts (V, C) and of the others (B, C).

        Parameters
        ----------
        labels
            Of the first B' of the B texts, (B',) or (B', L); of the others all machines speak, in the mean.
        """
        from sentiment.baselines import fit_nbsvm

        corpus, known = self.corpus, len(labels)
        classes, held_out = len(corpus.labels), corpus.validation.labels
        parts = np.random.default_rng(0).permutation(known) % PARTS
        penalties: tuple[float, ...] = PENALTIES
        said, of_validation = np.zeros((self.table.shape[0], classes)), np.zeros((len(held_out), classes))
        for part in range(PARTS):
            others, own = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
            machine = fit_nbsvm(
                self.table[others], self.validation, labels[others], held_out, classes, corpus.task, penalties
            )
            penalties = (machine.penalty,)  # the first part's serves all
            of_validation += machine.probabilities(self.validation, corpus.task) / PARTS
            said[own] = machine.probabilities(self.table[own], corpus.task)
            said[known:] += machine.probabilities(self.table[known:], corpus.task) / PARTS
        return of_validation, said


def _half(values: NDArray[Any]) -> NDArray[np.float32]:
    """Round to half precision, as what is stored is."""
    return values.astype(np.float16).astype(np.float32)


def _places(ids: NDArray[Any], longest: int) -> tuple[Rows, Rows, Hashes]:
    """Return where the n-grams of a run of tokens (T,) begin, how long they are, and their hashes."""
    steps = ids.astype(np.uint64) + np.uint64(1)
    rolling = np.zeros(len(steps), np.uint64)
    starts, lengths, hashes = [], [], []
    for length in range(1, max(1, min(longest, len(steps))) + 1):
        rolling = rolling[: len(steps) - length + 1] * MULTIPLIER + steps[length - 1 :]
        mixed = (rolling ^ (rolling >> np.uint64(29))) * MIXER
        hashes.append((mixed >> np.uint64(32)).astype(np.uint32))
        starts.append(np.arange(len(rolling)))
        lengths.append(np.full(len(rolling), length))
    return np.concatenate(starts), np.concatenate(lengths), np.concatenate(hashes)


def _ngrams(sequences: Sequences, longest: int) -> Iterator[tuple[int, Rows, Hashes]]:
    """Give parts of the texts: the first one's number, and of each n-gram the text, from there, and hash."""
    first, ends = 0, sequences.offsets[1:]
    while first < len(sequences):
        begin = sequences.offsets[first]
        last = max(first + 1, int(np.searchsorted(ends, begin + AT_ONCE, side="right")))
        owners = np.repeat(np.arange(last - first), sequences.lengths[first:last])
        starts, lengths, hashes = _places(sequences.values[begin : sequences.offsets[last]], longest)
        within = owners[starts] == owners[starts + lengths - 1]
        yield first, owners[starts[within]], hashes[within]
        first = last


def _distinct(rows: Rows, hashes: Hashes) -> tuple[Rows, Hashes]:
    """Return texts and n-grams, each pair once, ordered by the n-gram: so a search for them is fast."""
    once = np.unique(hashes.astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64))
    return (once & np.uint64(2**32 - 1)).astype(np.int64), (once >> np.uint64(32)).astype(np.uint32)


def _counted(sequences: Sequences, longest: int) -> tuple[Hashes, Rows]:
    """Return the different n-grams, sorted, and in how many texts each is."""
    parts = []
    for _, rows, hashes in _ngrams(sequences, longest):
        parts.append(_distinct(rows, hashes)[1])
    return np.unique(np.concatenate(parts), return_counts=True)


def _features(sequences: Sequences, hashes: Hashes, longest: int) -> Any:
    """Return a sparse matrix (B, M) of which n-grams of the table each text has."""
    from scipy import sparse

    table = NGrams(longest, hashes, np.empty((0, 1), np.float32), np.empty(1, np.float32))
    rows, places = [], []
    for first, owners, found in _ngrams(sequences, longest):
        own, place = table._present(owners, found)
        rows.append(first + own)
        places.append(place)
    row, column = np.concatenate(rows), np.concatenate(places)
    shape = len(sequences), len(hashes)
    return sparse.csr_matrix((np.ones(len(row), np.float32), (row, column)), shape)
