"""Where a model fails: slices of the texts, its surest mistakes, labels that look wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sentiment.core.schema.report import Failures, Mistake, Quoted, Suspect, Word, WrongLabels
from sentiment.evaluation.evaluate import Scored
from sentiment.evaluation.slices import slices
from sentiment.metrics.arrays import Labels, Probabilities
from sentiment.metrics.label_scores import losses

if TYPE_CHECKING:
    from sentiment.data.sequences import Encoded
    from sentiment.inference.explain import Explanation

    pass

Explain = Callable[..., "list[Explanation]"]  # of texts, a class and, if that is asked for, its rival
MISTAKES, SUSPECTS = 10, 20


def error_analysis(
    scored: Scored,
    encoded: Encoded,
    *,
    explain: Explain | None = None,
    validation: Scored | None = None,
    sources: Sequence[str] | None = None,
) -> Failures:
    """Return the part ``failures`` of a report.

    Parameters
    ----------
    scored, encoded
        The test split, and what the tokenizer made of it.
    explain
        Says for some texts which words spoke for a class, as ``partial(explain.explain, predictor)`` does;
        without it the mistakes have no words.
    validation
        The validation split, in which wrong labels are looked for too.
    sources
        (B,) where each text is from, if the corpus says so: a slice each.
    """
    found = suspects({**({"validation": validation} if validation else {}), "test": scored})
    return {
        "slices": slices(scored, encoded, sources),
        "mistakes": mistakes(scored, explain),
        "suspects": found[:SUSPECTS],
        "suspect_count": len(found),
    }


def mistakes(scored: Scored, explain: Explain | None = None) -> list[Mistake | WrongLabels]:
    """Return what the model was surest of and wrong about, surest first, with the words that caused it.

    Grades that are further off go before that, and the words are those for the decided grade and against
    the true one. Of several labels it is the texts whose log loss, summed over all labels, is highest; the
    words are those that caused the worst of the wrong labels: ``label``, which was given or not.
    The weights of the words are by integrated gradients; ``agreement`` is their rank correlation with
    leaving out each word in turn.
    """
    rows = scored.task.worst(scored.labels, scored.probabilities, scored.predicted)[:MISTAKES].tolist()
    if scored.task.exclusive:
        return [_wrong_class(scored, row, explain) for row in rows]
    return [_wrong_labels(scored, row, explain) for row in rows]


def _wrong_class(scored: Scored, row: int, explain: Explain | None) -> Mistake:
    label, predicted = (scored.names[answers[row]] for answers in (scored.labels, scored.predicted))
    rival = [label] if scored.task.ordered else []
    return {
        "row": row,
        "label": label,
        "predicted": predicted,
        "probability": float(scored.probabilities[row, scored.predicted[row]]),
        **_told(scored, row, [predicted, *rival], explain),  # named: a threshold may decide another
    }


def _wrong_labels(scored: Scored, row: int, explain: Explain | None) -> WrongLabels:
    task, names, predicted = scored.task, scored.names, scored.predicted[row]
    loss = losses(scored.labels[row], scored.probabilities[row])  # (L,)
    worst = int(np.where(predicted != scored.labels[row], loss, -1).argmax())
    given = bool(predicted[worst])
    return {
        "row": row,
        "labels": list(task.named(scored.labels[row], names)),
        "predicted": list(task.named(predicted, names)),
        "loss": float(loss.sum()),
        "label": names[worst],
        "given": given,
        "probability": float(scored.probabilities[row, worst]),
        **_told(scored, row, [names[worst]], explain, 1 if given else -1),
    }


def _told(scored: Scored, row: int, classes: Sequence[str], explain: Explain | None, sign: int = 1) -> Quoted:
    """Return the part of a text that spoke most for a class, or with -1 against it, with its words.

    The class may have its rival beside it.
    """
    text = scored.texts[row]
    explained = explain([text], *classes)[0] if explain is not None else None
    words: list[Word] = [
        {"start": word.start, "end": word.end, "text": word.text, "weight": sign * word.weight}
        for word in (explained.words if explained else ())
        if word.weight is not None
    ]
    whole = explained.text if explained else scored.input.shown(text)
    part, words = excerpt(whole, words)
    return {
        "text": part,
        "truncated_text": part != whole,
        "words": words,
        "agreement": explained.agreement if explained else None,
    }


def suspects(splits: Mapping[str, Scored]) -> list[Suspect]:
    """Find labels that look wrong, most suspect first: confident learning (Northcutt et al. 2021).

    Parameters
    ----------
    splits
        By name. The model must not have been trained on them, or it believes their labels.

    Returns
    -------
    list of dict
        With the class that is ``suggested``, and ``quality``: the probability of the given label. Of texts
        that may have several, each label is a question of its own: to ``add`` it, or to ``take away``.
    """
    found: list[Suspect] = [
        {
            "split": split,
            "row": row,
            "text": excerpt(scored.input.shown(scored.texts[row]))[0],
            "label": label,
            "suggested": suggested,
            "quality": quality,
        }
        for split, scored in splits.items()
        for row, label, suggested, quality in (_classes if scored.task.exclusive else _labels)(scored)
    ]
    return sorted(found, key=lambda suspect: suspect["quality"])


def _classes(scored: Scored) -> Iterator[tuple[int, str, str, float]]:
    for row in _issues(scored.labels, scored.probabilities):
        shares, given = scored.probabilities[row], scored.labels[row]
        yield row, scored.names[given], scored.names[shares.argmax()], float(shares[given])


def _labels(scored: Scored) -> Iterator[tuple[int, str, str, float]]:
    for name, given, shares in zip(scored.names, scored.labels.T, scored.probabilities.T, strict=True):
        for row in _issues(given, np.stack([1 - shares, shares], 1)):
            quality = float(shares[row] if given[row] else 1 - shares[row])
            yield row, name, "take away" if given[row] else "add", quality


def _issues(labels: Labels, probabilities: Probabilities) -> list[int]:
    """Return the rows whose class, of (B,), looks wrong."""
    from cleanlab.filter import find_label_issues

    if len(set(labels.tolist())) < 2:
        return []  # nothing to confuse
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with few texts or none
        # One process: forking after tokenizers has used its threads may hang.
        rows = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    return [int(row) for row in rows]


SHOWN = 400  # characters of a text


def excerpt(text: str, words: Sequence[Word] = (), longest: int = SHOWN) -> tuple[str, list[Word]]:
    """Return the part of a text that has most of the weight, and the words in it.

    The part has at most `longest` characters and is cut at a space, if one is near; "…" stands where it
    was cut, and `start` and `end` of the words are places in what is returned.
    """
    if len(text) <= longest:
        return text, list(words)
    room = longest - 2
    begin = 0
    if words:
        starts = np.array([word["start"] for word in words])
        sums = np.concatenate([[0.0], np.cumsum([abs(word["weight"]) for word in words])])
        # Of the words that begin at each word and end within the room after it.
        last = np.searchsorted([word["end"] for word in words], starts + room, side="right")
        best = int(np.argmax(sums[np.maximum(last, np.arange(len(words)))] - sums[:-1]))
        begin = min(int(starts[best]), len(text) - room)
    end = begin + room
    begin += 0 if begin == 0 or text[begin - 1].isspace() else _to_space(text[begin:end])
    end -= 0 if end == len(text) or text[end].isspace() else _to_space(text[begin:end][::-1])
    before, after = "…" * (begin > 0), "…" * (end < len(text))
    shift = len(before) - begin
    inside: list[Word] = [
        {**word, "start": word["start"] + shift, "end": word["end"] + shift}
        for word in words
        if begin <= word["start"] and word["end"] <= end
    ]
    return before + text[begin:end] + after, inside


def _to_space(text: str) -> int:
    """Return how many characters stand before the first space, or 0 if one is not near."""
    match = re.search(r"\s", text[:40])
    return match.start() if match else 0
