"""Scores are scikit-learn's; intervals are what resampling gives."""

import json
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from sentiment.core.schema.report import SCHEMA
from sentiment.core.sections.run import ReportConfig
from sentiment.evaluation import evaluate
from sentiment.evaluation.evaluate import Scored
from sentiment.metrics.bootstrap import Ranking
from sentiment.metrics.catalogue import SCORES
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import MULTICLASS, task
from sentiment.report import html, phrases, renderers

quick_scores, scores = MULTICLASS.quick_scores, MULTICLASS.scores


def intervals(labels, probabilities, resamples):
    return MULTICLASS.intervals(labels, probabilities, resamples=resamples)


def example(count=200, classes=2, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    logits = rng.normal(size=(count, classes)) + 1.2 * np.eye(classes)[labels]
    if ties:
        logits = logits.round()
    probabilities = np.exp(logits)
    return labels, probabilities / probabilities.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_scikit_learn(classes):
    labels, probabilities = example(classes=classes)
    predicted = probabilities.argmax(1)
    names = [f"c{i}" for i in range(classes)]
    mine = scores(labels, probabilities, names)
    ranked = probabilities[:, 1] if classes == 2 else probabilities
    onehot = labels if classes == 2 else np.eye(classes)[labels]
    assert mine["accuracy"] == sk.accuracy_score(labels, predicted)
    assert mine["balanced_accuracy"] == sk.balanced_accuracy_score(labels, predicted)
    assert mine["macro_f1"] == sk.f1_score(labels, predicted, average="macro")
    assert mine["weighted_f1"] == sk.f1_score(labels, predicted, average="weighted")
    assert mine["mcc"] == sk.matthews_corrcoef(labels, predicted)
    auc = sk.roc_auc_score(labels, ranked, **({} if classes == 2 else {"multi_class": "ovr"}))
    assert mine["roc_auc"] == pytest.approx(auc)
    assert mine["average_precision"] == pytest.approx(sk.average_precision_score(onehot, ranked))
    assert mine["log_loss"] == sk.log_loss(labels, probabilities)
    brier = ((probabilities - np.eye(classes)[labels]) ** 2).sum(1).mean()
    assert mine["brier"] == pytest.approx(brier / 2 if classes == 2 else brier)
    assert mine["confusion_matrix"] == sk.confusion_matrix(labels, predicted).tolist()
    assert mine["classification_report"]["c1"]["precision"] == sk.precision_score(labels == 1, predicted == 1)


def test_an_absent_class_gives_none_and_no_noise(recwarn):
    labels, probabilities = example(classes=3)
    mine = quick_scores(np.zeros_like(labels), probabilities)
    assert mine["roc_auc"] is mine["average_precision"] is None
    assert 0 < mine["accuracy"] < 1
    assert not recwarn.list


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.booleans(), st.integers(2, 4))
def test_weights_stand_for_repeated_texts(seed, ties, classes):
    labels, probabilities = example(40, classes, seed, ties)
    weights = np.random.default_rng(seed).multinomial(40, np.full(40, 1 / 40), 1).astype(float)
    rows = np.repeat(np.arange(40), weights[0].astype(int))
    predicted = probabilities.argmax(1)
    matrix = sk.confusion_matrix(labels[rows], predicted[rows], labels=range(classes)).astype(float)
    mine = {name: value[0] for name, value in MULTICLASS.of_matrices(matrix[None]).items()}
    theirs = quick_scores(labels[rows], probabilities[rows])
    for name, value in mine.items():
        assert value == pytest.approx(theirs[name]), name
    positive = labels == 1
    auc, precision = Ranking(positive, probabilities[:, 1]).scores(weights)[:, 0]
    if 0 < positive[rows].sum() < len(rows):
        assert auc == pytest.approx(sk.roc_auc_score(positive[rows], probabilities[rows, 1]))
        assert precision == pytest.approx(sk.average_precision_score(positive[rows], probabilities[rows, 1]))


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Of many samples of a known source, about 95 % of the intervals hold its accuracy and AUC."""
    labels, probabilities = example(100_000)
    truth = quick_scores(labels, probabilities)
    rng = np.random.default_rng(1)
    held = {"accuracy": 0, "roc_auc": 0, "log_loss": 0}
    for _ in range(200):
        rows = rng.integers(0, len(labels), 150)
        edges = intervals(labels[rows], probabilities[rows], 200)
        for name in held:
            held[name] += edges[name][0] <= truth[name] <= edges[name][1]
    for count in held.values():
        assert 178 <= count <= 199


def test_the_interval_of_accuracy_is_wilsons():
    labels, probabilities = example()
    right = int((probabilities.argmax(1) == labels).sum())
    wilson = stats.binomtest(right, len(labels)).proportion_ci(method="wilson")
    assert intervals(labels, probabilities, 100)["accuracy"] == [wilson.low, wilson.high]


TASKS = ("multiclass", "ordinal", "multilabel")
RANGES = {"mcc": (-1, 1), "quadratic_kappa": (-1, 1), "spearman": (-1, 1), "mae": (0, 2), "brier": (0, 2),
          "log_loss": (0, np.inf), "coverage_error": (0, 3)}  # fmt: skip


@st.composite
def tiny_sets(draw, task):
    """Labels and probabilities of few texts; of few classes, too."""
    count, classes = draw(st.integers(1, 6)), draw(st.integers(2 if task == "multiclass" else 3, 3))
    rows = st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9]), min_size=classes, max_size=classes)
    probabilities = np.array(draw(st.lists(rows, min_size=count, max_size=count)))
    if task == "multilabel":
        sides = draw(st.sampled_from([[0], [1], [0, 1]]))
        marks = st.lists(st.sampled_from(sides), min_size=classes, max_size=classes)
        return np.array(draw(st.lists(marks, min_size=count, max_size=count))), probabilities
    present = draw(st.sets(st.integers(0, classes - 1), min_size=1))
    labels = draw(st.lists(st.sampled_from(sorted(present)), min_size=count, max_size=count))
    return np.array(labels), probabilities / probabilities.sum(1, keepdims=True)


@pytest.mark.parametrize("name_of_task", TASKS)
@settings(max_examples=60)
@given(st.data())
def test_a_score_has_an_interval_if_and_only_if_it_is_defined(name_of_task, data):
    labels, probabilities = data.draw(tiny_sets(name_of_task))
    kind = task(name_of_task)
    values = kind.quick_scores(labels, probabilities)
    edges = kind.intervals(labels, probabilities, resamples=300)
    assert edges.keys() == values.keys()
    convention = {"mcc", "quadratic_kappa", "spearman"} if len(np.unique(labels)) < 2 else set()
    if not kind.exclusive and (labels.all() or not labels.any()):
        convention |= {"lrap", "coverage_error"}
        convention |= set() if labels.any() else {"micro_f1", "macro_f1", "weighted_f1"}
    for name, value in values.items():
        assert (edges[name] is None) == (value is None or name in convention), name
        if edges[name] is not None:
            low, high = edges[name]
            lowest, highest = RANGES.get(name, (0, 1))
            assert lowest - 1e-9 <= low <= high <= highest + 1e-9, name


@pytest.mark.parametrize("count", [1, 5])
def test_a_ranking_of_one_class_has_no_score_and_no_interval(count):
    probabilities = np.tile([0.3, 0.7], (count, 1))
    for label in (0, 1):
        edges = intervals(np.full(count, label), probabilities, 100)
        assert edges["roc_auc"] is edges["average_precision"] is None
    both = np.array([1] * count + [0])  # a resample without the 0 would have an average precision of 1
    drawn = intervals(both, np.array([[0.3, 0.7]] * count + [[0.1, 0.9]]), 500)["average_precision"]
    assert drawn[1] < 1


NAMES = ["a", "b", "c"]
SMALL = {  # labels, and the number of classes
    "one text": ("multiclass", [1], 2),
    "the positive class alone": ("multiclass", [1] * 4, 2),
    "the negative class alone": ("multiclass", [0] * 4, 2),
    "a class that is absent": ("multiclass", [0, 1, 1, 0], 3),
    "one grade": ("ordinal", [2] * 4, 3),
    "one text of a grade": ("ordinal", [0], 3),
    "one text of labels": ("multilabel", [[1, 0, 1]], 3),
    "no labels": ("multilabel", [[0, 0, 0]] * 3, 3),
    "all labels": ("multilabel", [[1, 1, 1]] * 3, 3),
}


@pytest.mark.parametrize("kind", SMALL)
def test_a_report_is_written_of_scores_that_are_not_defined(kind):
    name, given_labels, classes = SMALL[kind]
    labels, names = np.array(given_labels), NAMES[:classes]
    probabilities = np.full((len(labels), classes), 0.3)
    probabilities[:, 1] = 0.7 if name == "multilabel" else 1 - 0.3 * (classes - 1)
    lengths = np.arange(1, len(labels) + 1) ** 2
    plain = Decision.plain(names, task(name))
    found = evaluate.evaluate(
        Scored([], labels, probabilities, plain), ReportConfig(), lengths, plain.task.logits(probabilities)
    )
    corpus = {"name": "x", "source": "x", "revision": None, "sizes": {"test": len(labels)}, "labels": names}
    whole = {"schema": SCHEMA, "created": "2000-01-01", "corpus": corpus, **found}
    whole = {"verdict": phrases.verdict(whole), **whole}
    assert json.loads(json.dumps(whole, allow_nan=False))
    card, page = renderers.card(whole), html.page(whole)
    for text in (card, page):
        assert not re.search(r"\b(nan|None)\b", text)
    undefined = found["test"]["average_precision"] is None
    row = next(
        line for line in card.splitlines() if line.startswith(f"| {SCORES['average_precision'].title} |")
    )
    assert ("–" in row, "[" in row) == (undefined, not undefined)


def test_intervals_of_a_tiny_test_set_are_finite():
    edges = intervals(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), 200)
    for name, pair in edges.items():
        assert np.isfinite(pair).all(), name
