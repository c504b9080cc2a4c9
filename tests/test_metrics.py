"""Scores are scikit-learn's; intervals are what resampling gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from sentiment.metrics import Ranking, confusion_scores, intervals, quick_scores, scores


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
    mine = {name: value[0] for name, value in confusion_scores(matrix[None]).items()}
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


def test_intervals_of_a_tiny_test_set_are_finite():
    edges = intervals(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), 200)
    for name, pair in edges.items():
        assert pair is None or np.isfinite(pair).all(), name
