"""Where a model fails: slices of the texts, its surest mistakes, labels that look wrong."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.curves import part_score
from sentiment.features import shown
from sentiment.metrics import Labels, Probabilities, decided, top
from sentiment.multilabel import losses, text_f1

if TYPE_CHECKING:
    from sentiment.explain import Explanation
    from sentiment.sequences import Encoded

Mask = NDArray[np.bool_]
Explain = Callable[..., "list[Explanation]"]  # of texts, a class and, if that is asked for, its rival

FEWEST, FEWEST_SHARE = 20, 0.01  # texts, and share of all, that a slice and its rest need
QUANTILES = 4
MISTAKES, SUSPECTS = 10, 20
SHOWN = 400  # characters of a text
LOUD, LETTERS = 0.3, 10  # share of capitals from which a text is loud, if it has so many letters
# English only: for another language the slice is about whatever happens to look alike, or empty.
NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|nowhere|hardly|barely|scarcely|without|cannot"
    r"|(?:is|are|was|were|do|does|did|have|has|had|ca|could|wo|would|should|must|need|ai|might)n['’]?t)\b",
    re.IGNORECASE,
)
URL = re.compile(r"https?://|www\.", re.IGNORECASE)


def failures(
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


def slices(
    texts: Sequence[Any],
    labels: Labels,
    probabilities: Probabilities,
    encoded: Encoded,
    names: Sequence[str],
    sources: Sequence[str] | None = None,
    thresholds: Sequence[float] | None = None,
    task: str = "multiclass",
) -> list[dict[str, Any]]:
    """Score the parts of the test texts, worst first: by accuracy less that of all other texts.

    Each has Wilson's interval of its accuracy, ``p`` of Fisher's exact test against the rest, and ``q``,
    which is `p` corrected for the number of slices (Benjamini and Hochberg 1995). Of texts that may have
    several labels it is the mean F1 of a text, with Student's interval and the test of Mann and Whitney.
    Parts with too few texts are left out.
    """
    from scipy import stats

    if labels.ndim == 2:
        quality: NDArray[Any] = text_f1(labels, decided(probabilities, thresholds))
    else:
        quality = top(probabilities, task)[0] == labels
    fewest = max(FEWEST, FEWEST_SHARE * len(texts))
    found = []
    for name, value, mask in _masks(texts, labels, encoded, names, sources):
        count, rest = int(mask.sum()), int((~mask).sum())
        if min(count, rest) < fewest:
            continue
        inside, outside = quality[mask], quality[~mask]
        found.append(
            {
                "slice": name,
                "value": value,
                **part_score(inside),
                "difference": float(inside.mean() - outside.mean()),
                "p": _differ(inside, outside),
            }
        )
    corrected = stats.false_discovery_control([one["p"] for one in found]) if found else []
    for one, q in zip(found, corrected, strict=True):
        one["q"] = float(q)
    return sorted(found, key=lambda one: one["difference"])


def _differ(inside: NDArray[Any], outside: NDArray[Any]) -> float:
    """Return p of two parts having the same share of right texts, or about the same F1."""
    from scipy import stats

    if inside.dtype == bool:
        table = [[part.sum(), (~part).sum()] for part in (inside, outside)]
        return float(stats.fisher_exact(table).pvalue)
    p = stats.mannwhitneyu(inside, outside, method="asymptotic").pvalue
    return float(p) if np.isfinite(p) else 1.0  # all texts are alike


def _masks(
    texts: Sequence[Any],
    labels: Labels,
    encoded: Encoded,
    names: Sequence[str],
    sources: Sequence[str] | None,
) -> Iterator[tuple[str, str, Mask]]:
    """Yield the slice, its value, and which texts are in it."""
    are_texts = len(texts) > 0 and isinstance(texts[0], str)
    unit = "tokens" if are_texts else "steps"
    yield from _quantiles("length", encoded.lengths, f"{{:,.0f}} {unit}".format)
    if are_texts:
        yield from _quantiles("unknown words", encoded.unknown_rate, "{:.1%}".format)
    if labels.ndim == 2:
        yield from _quantiles("labels of a text", labels.sum(1), "{:.0f}".format)
    for number, name in enumerate(names):
        yield "label", name, labels == number if labels.ndim == 1 else labels[:, number] == 1
    for source in sorted(set(sources or ())):
        yield "source", source, np.array(sources) == source
    properties = {"truncated": encoded.truncated, "several windows": encoded.sequences.counts > 1}
    if are_texts:
        properties |= _properties(texts)
    for name, mask in properties.items():
        yield name, "yes", mask
        yield name, "no", ~mask


def _properties(texts: Sequence[str]) -> dict[str, Mask]:
    return {
        "negation (English words)": _matches(texts, NEGATION.search),
        "digits": _matches(texts, re.compile(r"\d").search),
        "URL": _matches(texts, URL.search),
        "exclamation mark": _matches(texts, re.compile("[!！]").search),
        f"{LOUD:.0%} capitals or more": _matches(texts, _is_loud),
    }


def _matches(texts: Sequence[str], found: Callable[[str], object]) -> Mask:
    return np.fromiter((bool(found(text)) for text in texts), bool, len(texts))


def _is_loud(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters >= LETTERS and sum(map(str.isupper, text)) >= LOUD * letters


def _quantiles(
    name: str, values: NDArray[Any], show: Callable[[float], str]
) -> Iterator[tuple[str, str, Mask]]:
    """Cut values into parts of about equal size; equal values stay together."""
    if not len(values):
        return
    edges = np.quantile(values, np.linspace(0, 1, QUANTILES + 1)[1:], method="inverted_cdf")
    low = -np.inf
    for edge in np.unique(edges):
        mask = (values > low) & (values <= edge)
        least, most = show(values[mask].min()), show(edge)
        yield name, most if least == most else f"{least.split()[0]} to {most}", mask
        low = edge


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


def excerpt(
    text: str, words: Sequence[dict[str, Any]] = (), longest: int = SHOWN
) -> tuple[str, list[dict[str, Any]]]:
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
    inside = [
        {**word, "start": word["start"] + shift, "end": word["end"] + shift}
        for word in words
        if begin <= word["start"] and word["end"] <= end
    ]
    return before + text[begin:end] + after, inside


def _to_space(text: str) -> int:
    """Return how many characters stand before the first space, or 0 if one is not near."""
    match = re.search(r"\s", text[:40])
    return match.start() if match else 0


def suspects(
    splits: Mapping[str, tuple[Sequence[Any], Labels, Probabilities]], names: Sequence[str]
) -> list[dict[str, Any]]:
    """Find labels that look wrong, most suspect first: confident learning (Northcutt et al. 2021).

    Parameters
    ----------
    splits
        Texts, labels and probabilities by name of the split. The model must not have been trained on
        them, or it believes their labels.

    Returns
    -------
    list of dict
        With the class that is ``suggested``, and ``quality``: the probability of the given label. Of texts
        that may have several, each label is a question of its own: to ``add`` it, or to ``take away``.
    """
    found = []
    for split, (texts, labels, probabilities) in splits.items():
        if labels.ndim == 1:
            found += [
                {
                    "split": split,
                    "row": row,
                    "text": excerpt(shown(texts[row]))[0],
                    "label": names[labels[row]],
                    "suggested": names[probabilities[row].argmax()],
                    "quality": float(probabilities[row, labels[row]]),
                }
                for row in _issues(labels, probabilities)
            ]
            continue
        for name, given, theirs in zip(names, labels.T, probabilities.T, strict=True):
            found += [
                {
                    "split": split,
                    "row": row,
                    "text": excerpt(shown(texts[row]))[0],
                    "label": name,
                    "suggested": "take away" if given[row] else "add",
                    "quality": float(theirs[row] if given[row] else 1 - theirs[row]),
                }
                for row in _issues(given, np.stack([1 - theirs, theirs], 1))
            ]
    return sorted(found, key=lambda one: one["quality"])


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
