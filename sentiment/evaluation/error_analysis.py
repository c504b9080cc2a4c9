"""Where a model fails: slices of the texts, its surest mistakes, labels that look wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sentiment.core.schema.report import Failures, Mistake, Quoted, Word, WrongLabels
from sentiment.evaluation.excerpts import excerpt
from sentiment.evaluation.label_issues import suspects
from sentiment.evaluation.scored import Scored
from sentiment.evaluation.slices import slices
from sentiment.metrics.label_scores import losses

if TYPE_CHECKING:
    from sentiment.data.sequences import Encoded
    from sentiment.inference.explain import Explanation
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
