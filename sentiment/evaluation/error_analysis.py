"""Where a model fails: slices of the texts, its surest mistakes, labels that look wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sentiment.data.features import shown
from sentiment.evaluation.excerpts import excerpt
from sentiment.evaluation.label_issues import suspects
from sentiment.evaluation.slices import slices
from sentiment.metrics.multiclass import Labels, Probabilities, decided, top
from sentiment.metrics.multilabel import losses

if TYPE_CHECKING:
    from sentiment.data.sequences import Encoded
    from sentiment.inference.explain import Explanation
Explain = Callable[..., "list[Explanation]"]  # of texts, a class and, if that is asked for, its rival
MISTAKES, SUSPECTS = 10, 20


def error_analysis(
    texts: Sequence[Any],
    labels: Labels,
    probabilities: Probabilities,
    encoded: Encoded,
    names: Sequence[str],
    *,
    explain: Explain | None = None,
    validation: tuple[Sequence[Any], Labels, Probabilities] | None = None,
    sources: Sequence[str] | None = None,
    thresholds: Sequence[float] | None = None,
    task: str = "multiclass",
) -> dict[str, Any]:
    """Return the part ``failures`` of a report.

    Parameters
    ----------
    texts, labels, probabilities, encoded
        Of the test split: B texts or arrays of features, (B,), (B, C), and what the tokenizer made of them.
        Of texts that may have several labels, (B, L) both.
    names
        Of the classes or labels.
    explain
        Says for some texts which words spoke for a class, as ``partial(explain.explain, predictor)`` does;
        without it the mistakes have no words.
    validation
        Texts, labels and probabilities of the validation split, in which wrong labels are looked for too.
    sources
        (B,) where each text is from, if the corpus says so: a slice each.
    thresholds
        (L,) from which one of several labels is given.
    """
    splits = {"validation": validation} if validation is not None else {}
    found = suspects({**splits, "test": (texts, labels, probabilities)}, names)
    if labels.ndim == 2:
        worst = wrong_labels(texts, labels, probabilities, names, explain, thresholds)
    else:
        worst = mistakes(texts, labels, probabilities, names, explain, task)
    return {
        "slices": slices(texts, labels, probabilities, encoded, names, sources, thresholds, task),
        "mistakes": worst,
        "suspects": found[:SUSPECTS],
        "suspect_count": len(found),
    }


def mistakes(
    texts: Sequence[Any],
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    explain: Explain | None = None,
    task: str = "multiclass",
) -> list[dict[str, Any]]:
    """Return what the model was surest of and wrong about, surest first, with the words that caused it.

    Grades that are further off go before that, and the words are those for the decided grade and against
    the true one.
    The weights of the words are by integrated gradients; ``agreement`` is their rank correlation with
    leaving out each word in turn.
    """
    predicted, sure = top(probabilities, task)
    ordinal = task == "ordinal"
    wrong = np.flatnonzero(predicted != labels)
    off = np.abs(predicted - labels)[wrong] if ordinal else np.ones(len(wrong))
    rows = wrong[np.lexsort([-sure[wrong], -off])][:MISTAKES]
    found = []
    for row in rows.tolist():
        name = names[predicted[row]]  # named: what a threshold decides may be another class
        rival = [names[labels[row]]] if ordinal else []
        found.append(
            {
                "row": row,
                "label": names[labels[row]],
                "predicted": name,
                "probability": float(sure[row]),
                **_told(texts[row], [name, *rival], explain),
            }
        )
    return found


def wrong_labels(
    texts: Sequence[Any],
    labels: Labels,
    probabilities: Probabilities,
    names: Sequence[str],
    explain: Explain | None = None,
    thresholds: Sequence[float] | None = None,
) -> list[dict[str, Any]]:
    """Return the texts with a wrong label whose log loss, summed over all labels, is highest.

    The words are those that caused the worst of the wrong labels: ``label``, which was given or not.
    """
    predicted, loss = decided(probabilities, thresholds), losses(labels, probabilities)
    off = predicted != labels
    wrong = np.flatnonzero(off.any(1))
    rows = wrong[np.argsort(-loss[wrong].sum(1), kind="stable")][:MISTAKES]
    found = []
    for row in rows.tolist():
        worst = int(np.where(off[row], loss[row], -1).argmax())
        given = bool(predicted[row, worst])
        found.append(
            {
                "row": row,
                "labels": [name for name, true in zip(names, labels[row], strict=True) if true],
                "predicted": [name for name, true in zip(names, predicted[row], strict=True) if true],
                "loss": float(loss[row].sum()),
                "label": names[worst],
                "given": given,
                "probability": float(probabilities[row, worst]),
                **_told(texts[row], [names[worst]], explain, 1 if given else -1),
            }
        )
    return found


def _told(text: Any, classes: Sequence[str], explain: Explain | None, sign: int = 1) -> dict[str, Any]:
    """Return the part of a text that spoke most for a class, or with -1 against it, with its words.

    The class may have its rival beside it.
    """
    explained = explain([text], *classes)[0] if explain is not None else None
    words = [
        {"start": word.start, "end": word.end, "text": word.text, "weight": sign * word.weight}
        for word in (explained.words if explained else ())
        if word.weight is not None
    ]
    whole = explained.text if explained else shown(text)
    part, words = excerpt(whole, words)
    return {
        "text": part,
        "truncated_text": part != whole,
        "words": words,
        "agreement": explained.agreement if explained else None,
    }
