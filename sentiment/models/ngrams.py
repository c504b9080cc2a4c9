"""Beside the recurrence, a linear model of the n-grams that a text has: wide and deep (Cheng et al. 2016).

A recurrence generalises from vectors of words; a linear model of word triples remembers turns of phrase.
Where either errs the other is often right, so their product of experts is better than both: on parts of
IMDB's training texts that have no film in common, 0.914 and 0.912 alone, 0.920 together.

The linear model is NB-SVM (Wang & Manning 2012), trained on the tokens of the whole texts, of which the
recurrence may read a part. What is said last often decides, so n-grams of the end of a text have weights of
their own beside those that they have anywhere. It is kept as a sparse table: hashes of the n-grams that carry
most, and their weights. Reading and applying one needs NumPy only. Shapes: B texts, T tokens of a text, M
n-grams in the table, C classes or labels, S sides: C, or of two classes the second alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from sentiment.data.sequences import Encoded, Sequences
from sentiment.metrics.arrays import Array, Labels, Probabilities, Scores
from sentiment.metrics.calibration import fit_temperature
from sentiment.metrics.task import task as task_of
from sentiment.models.nbsvm import fit_nbsvm
from sentiment.models.patterns import Hashes, Patterns, present

if TYPE_CHECKING:
    from sentiment.core.sections.model import NGramsConfig
    from sentiment.data.corpus import Corpus

LONGEST = 3  # tokens of n-grams that only teach
MOST = 2**18  # n-grams in a table: twice as many, of six million on IMDB, change nothing on other films
NUMBERS = 2**20  # weights in a table, of many classes: at 2 bytes each
PENALTIES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # C of the SVM: the best by log loss on validation
PARTS = 4  # of the texts, each spoken of by machines that learned from the others
SHARES = np.linspace(0, 0.9, 10)  # of the n-grams in the mean of the two models' log-probabilities
# Mean and deviation of a prior on that share: a hundred validation texts do not know it.
USUAL, SPREAD = 0.4, 0.25


@dataclass(frozen=True)
class NGrams:
    """Which n-grams speak for which class.

    Attributes
    ----------
    hashes
        (M,) of n-grams, sorted.
    weights, bias
        (M, S) and (S,): logits of a text are the sum of the weights of the n-grams that it has, each once,
        and the bias; they are added to those of the recurrence.
    """

    patterns: Patterns
    hashes: Hashes
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    task: str = "multiclass"

    def logits(self, sequences: Sequences) -> NDArray[np.float64]:
        """Return what the n-grams say of texts, (B, C)."""
        margins = np.tile(self.bias.astype(np.float64), (len(sequences), 1))
        for first, owners, hashes in self.patterns.of(sequences):
            rows, places = present(self.hashes, owners, hashes)
            np.add.at(margins, first + rows, self.weights[places])
        return task_of(self.task).both_sides(margins)

    def contributions(self, ids: NDArray[Any]) -> NDArray[np.float64]:
        """Return what each token of a text adds to the logits, (T, C); with the bias they sum to them.

        An n-gram is shared among its tokens, and if it occurs more than once, among its places.
        """
        each = np.zeros((len(ids), self.weights.shape[1]))
        begins, kinds, hashes = self.patterns.places(ids, np.arange(len(ids), 0, -1))
        index = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        times = np.bincount(index, minlength=len(self.hashes))
        there = self.hashes[index] == hashes
        shares = self.weights[index] / times[index][:, None]
        for kind, offsets in enumerate(self.patterns.offsets):
            rows = there & (kinds == kind)
            np.add.at(each, begins[rows, None] + offsets, shares[rows, None] / len(offsets))
        return task_of(self.task).both_sides(each)

    def save(self, path: Path) -> None:
        """Write the table, its weights in half precision."""
        stored: dict[str, NDArray[Any]] = {
            "hashes": self.hashes,
            "weights": self.weights.astype(np.float16),
            "bias": self.bias,
            **{name: np.array([value], np.int32) for name, value in asdict(self.patterns).items()},
        }
        path.write_bytes(safetensors.numpy.save(stored))

    @classmethod
    def load(cls, path: Path, labels: int, task: str) -> NGrams:
        """Read a table for so many labels; ValueError if it is for others."""
        stored = safetensors.numpy.load_file(path)
        hashes, weights, bias = stored["hashes"], stored["weights"].astype(np.float32), stored["bias"]
        sides = len(task_of(task).sides(labels))
        if weights.shape != (len(hashes), sides) or bias.shape != (sides,) or not len(hashes):
            raise ValueError(
                f"{path.name}: weights {weights.shape} and bias {bias.shape} for {labels} labels"
            )
        # Older tables have runs only.
        names = [field.name for field in fields(Patterns) if field.name in stored]
        return cls(Patterns(**{name: int(stored[name][0]) for name in names}), hashes, weights, bias, task)


class Counted:
    """The n-grams of B texts to learn from, and of the V validation texts, as linear models take them.

    Attributes
    ----------
    hashes, frequencies
        (M,) of the n-grams that are in two texts or more, sorted, and in how many texts each is; if there is
        none such, of all.
    table, of_validation
        Sparse (B, M) and (V, M).
    """

    def __init__(self, patterns: Patterns, texts: Sequences, validation: Sequences) -> None:
        # The ending only if it is worthwhile: of a short text all is its end.
        self.patterns, self.validation = patterns.worthwhile(texts), validation
        hashes, frequencies = self.patterns.counted(texts)
        frequent = frequencies > 1 if (frequencies > 1).any() else frequencies > 0
        self.hashes, self.frequencies = hashes[frequent], frequencies[frequent]
        self.table = self.patterns.features(texts, self.hashes)
        self.of_validation = self.patterns.features(validation, self.hashes)


def count(asked: NGramsConfig, parts: list[Encoded], validation: Encoded) -> Counted:
    """Count the n-grams that the settings ask for, of whole texts; for teachers alone, runs of three."""
    patterns = Patterns(asked.longest or LONGEST, asked.gap, asked.ending)
    return Counted(patterns, Sequences.joined([part.whole for part in parts]), validation.whole)


def fit(
    corpus: Corpus, counted: Counted, labels: Labels, logits: Array
) -> tuple[NGrams | None, dict[str, Any]]:
    """Train the n-grams of the training texts, and choose their share by the validation texts.

    Parameters
    ----------
    counted
        Of the texts to learn from, and the validation texts of the corpus.
    labels
        Of the former; those of unlabelled texts are what teachers say.
    logits
        (V, C) of the recurrence on the validation texts.

    Returns
    -------
    NGrams or None
        None if the recurrence is better alone, or no n-gram is in two texts.
    dict
        The part ``ngrams`` of a report: ``share``, and ``validation``, the scores of either and of both.
    """
    if not (counted.frequencies > 1).any():
        return None, {"share": 0.0}
    held_out = corpus.validation.labels
    task, classes = task_of(corpus.task), len(corpus.labels)
    machine = fit_nbsvm(counted.table, counted.of_validation, labels, held_out, classes, task, PENALTIES)
    weights, bias = machine.weights / machine.temperature, machine.bias / machine.temperature
    # Rare n-grams decide few texts.
    most = min(MOST, NUMBERS // weights.shape[1])
    order = np.sort(np.argsort(-np.abs(weights).max(1) * np.sqrt(counted.frequencies), kind="stable")[:most])
    scale = 2.0 if len(task.sides(classes)) < classes else 1.0  # of two classes, margins count on both sides
    hashes = counted.hashes[order]
    alone = NGrams(counted.patterns, hashes, _half(scale * weights[order]), _half(scale * bias), task.name)
    margins = alone.logits(counted.validation)
    temperature = fit_temperature(held_out, logits, task)

    def scores(both: Array) -> Scores:
        return task.quick_scores(held_out, task.probabilities(both / fit_temperature(held_out, both, task)))

    def cost(share: float) -> float:
        loss = scores(logits + share / (1 - share) * temperature * margins)["log_loss"]
        assert loss is not None
        return loss * len(held_out) + ((share - USUAL) / SPREAD) ** 2 / 2

    share = float(min(SHARES, key=cost))
    factor = share / (1 - share) * temperature
    table = replace(alone, weights=_half(factor * alone.weights), bias=_half(factor * alone.bias))
    about = {
        **asdict(counted.patterns),
        "count": len(alone.hashes),
        "C": machine.penalty,
        "share": share,
        "validation": {
            "recurrent": task.quick_scores(held_out, task.probabilities(logits / temperature)),
            "ngrams": task.quick_scores(held_out, task.probabilities(margins)),
            "both": scores(logits + table.logits(counted.validation)),
        },
    }
    return (table if share else None), about


def second_opinion(corpus: Corpus, counted: Counted, labels: Labels) -> tuple[Probabilities, Probabilities]:
    """Return what n-grams say of texts that a recurrence teaches them about: another view, as in co-training.

    Of a text that it learned from, a linear model of a million n-grams repeats what it was told. So each part
    of the texts is spoken of by machines that learned from the other parts (Blum & Mitchell 1998 have two
    views of unlabelled texts; the parts are what keeps them apart here).

    Returns
    -------
    of_validation, said
        (V, C), the mean of all machines, and (B, C) of the texts that were counted, whose labels are given.
    """
    task, classes, held_out = task_of(corpus.task), len(corpus.labels), corpus.validation.labels
    parts = np.random.default_rng(0).permutation(len(labels)) % PARTS
    penalties: tuple[float, ...] = PENALTIES
    said, of_validation = np.zeros((len(labels), classes)), np.zeros((len(held_out), classes))
    for part in range(PARTS):
        others, own = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
        machine = fit_nbsvm(
            counted.table[others], counted.of_validation, labels[others], held_out, classes, task, penalties
        )
        penalties = (machine.penalty,)  # the first part's serves all
        of_validation += machine.probabilities(counted.of_validation, task) / PARTS
        said[own] = machine.probabilities(counted.table[own], task)
    return of_validation, said


def _half(values: NDArray[Any]) -> NDArray[np.float32]:
    """Round to half precision, as what is stored is."""
    return values.astype(np.float16).astype(np.float32)
