"""Scores of texts with several labels: what scikit-learn says, what drawing the texts gives, what must hold."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sentiment.metrics import calibration
from sentiment.metrics.bootstrap import Ranking
from sentiment.metrics.curves import curves
from sentiment.metrics.label_scores import means_of_texts, missed_and_added, text_f1
from sentiment.metrics.task import MULTICLASS, task

MULTILABEL = task("multilabel")
multilabel_scores, intervals, decided = MULTILABEL.quick_scores, MULTILABEL.intervals, MULTILABEL.decide
ANY = st.integers(0, 10**6)


def example(count=60, labels=4, seed=0, ties=False, rate=0.3):
    """Labels (B, L), some texts without any, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    true = (rng.random((count, labels)) < rate).astype(np.int64)
    probabilities = 1 / (1 + np.exp(-(rng.normal(size=true.shape) * 1.5 + 3 * true - 1.5)))
    return true, probabilities.round(1) if ties else probabilities


@pytest.mark.parametrize("ties", [False, True])
def test_scores_are_those_of_scikit_learn(ties):
    true, probabilities = example(ties=ties)
    thresholds = [0.2, 0.4, 0.6, 0.8]
    given_ = (probabilities >= thresholds).astype(int)
    mine = MULTILABEL.scores(true, probabilities, list("abcd"), thresholds)
    assert mine["accuracy"] == sk.accuracy_score(true, given_)
    for average in ("micro", "macro", "weighted"):
        assert mine[f"{average}_f1"] == sk.f1_score(true, given_, average=average, zero_division=0)
    assert mine["samples_f1"] == sk.f1_score(true, given_, average="samples", zero_division=1)
    assert mine["jaccard"] == sk.jaccard_score(true, given_, average="samples", zero_division=1)
    assert mine["hamming_loss"] == sk.hamming_loss(true, given_)
    assert mine["lrap"] == sk.label_ranking_average_precision_score(true, probabilities)
    assert mine["coverage_error"] == sk.coverage_error(true, probabilities)
    assert mine["roc_auc"] == pytest.approx(sk.roc_auc_score(true, probabilities))
    assert mine["average_precision"] == pytest.approx(sk.average_precision_score(true, probabilities))
    assert mine["brier"] == pytest.approx(((true - probabilities) ** 2).mean())
    assert mine["log_loss"] == pytest.approx(
        np.mean([sk.log_loss(one, p, labels=[0, 1]) for one, p in zip(true.T, probabilities.T, strict=True)])
    )
    assert mine["confusion_matrices"] == sk.multilabel_confusion_matrix(true, given_).tolist()
    assert mine["classification_report"]["b"]["precision"] == sk.precision_score(true[:, 1], given_[:, 1])
    assert mine["classification_report"]["micro avg"]["support"] == true.sum()


@settings(max_examples=8)
@given(ANY, st.booleans())
def test_one_label_is_a_problem_of_two_classes(seed, ties):
    true, probabilities = example(40, 1, seed, ties)
    one, two = true[:, 0], np.hstack([1 - probabilities, probabilities])
    mine, theirs = (
        MULTILABEL.scores(true, probabilities, ["spam"]),
        MULTICLASS.scores(one, two, ["ham", "spam"]),
    )
    for name in ("roc_auc", "average_precision", "log_loss", "brier"):
        assert mine[name] == (None if theirs[name] is None else pytest.approx(theirs[name])), name
    given_ = probabilities[:, 0] >= 0.5
    for name in ("accuracy", "samples_f1", "jaccard"):
        assert mine[name] == pytest.approx((one == given_).mean())
    f1 = sk.f1_score(one, given_, zero_division=0)
    for average in ("micro", "macro", "weighted"):
        assert mine[f"{average}_f1"] == pytest.approx(f1)
    assert mine["confusion_matrices"] == [sk.confusion_matrix(one, given_, labels=[0, 1]).tolist()]
    assert mine["lrap"] == 1
    assert mine["coverage_error"] == pytest.approx(one.mean())


def test_a_text_without_labels_that_is_given_none_is_right():
    none = np.zeros((3, 2), np.int64)
    found = multilabel_scores(none, np.full((3, 2), 0.1))
    assert found["accuracy"] == found["samples_f1"] == found["jaccard"] == found["lrap"] == 1
    assert found["micro_f1"] == found["hamming_loss"] == found["coverage_error"] == 0
    assert found["roc_auc"] is found["average_precision"] is None
    assert text_f1(none, none).tolist() == [1, 1, 1]


@settings(max_examples=8)
@given(ANY, st.booleans())
def test_the_order_of_texts_and_of_labels_changes_no_score(seed, ties):
    true, probabilities = example(30, 5, seed, ties)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(30), rng.permutation(5)
    one = multilabel_scores(true, probabilities)
    for two in (
        multilabel_scores(true[rows], probabilities[rows]),
        multilabel_scores(true[:, columns], probabilities[:, columns]),
    ):
        assert two == pytest.approx(one)


@settings(max_examples=8)
@given(ANY, st.booleans())
def test_scores_are_means_of_whatmeans_of_texts_has(seed, ties):
    true, probabilities = example(25, 4, seed, ties)
    each = means_of_texts(true, decided(probabilities), probabilities)
    whole = multilabel_scores(true, probabilities)
    for name, values in each.items():
        assert values.mean() == pytest.approx(whole[name]), name


@pytest.mark.slow
def test_intervals_are_those_of_drawing_the_texts_themselves():
    true, probabilities = example(80, 3)
    thresholds = [0.3, 0.5, 0.7]
    found = intervals(true, probabilities, thresholds, 400)
    rows = np.random.default_rng(1).integers(0, 80, (400, 80))
    drawn = [multilabel_scores(true[r], probabilities[r], thresholds) for r in rows]
    for name, edges in found.items():
        if name != "accuracy":  # Wilson's
            expected = np.percentile([one[name] for one in drawn], [2.5, 97.5])
            assert edges == pytest.approx(expected, abs=0.25 * np.ptp(expected)), name


def test_the_intervals_hold_the_scores():
    true, probabilities = example(80, 5)
    thresholds = [0.3, 0.4, 0.5, 0.6, 0.7]
    whole = multilabel_scores(true, probabilities, thresholds)
    found = intervals(true, probabilities, thresholds, 200)
    assert found.keys() == whole.keys()
    assert all(low <= whole[name] <= high for name, (low, high) in found.items())


def test_a_label_that_no_text_has_leaves_the_intervals_finite():
    true, probabilities = example(20, 3)
    true[:, 1] = 0
    found = intervals(true, probabilities, resamples=50)
    assert all(np.isfinite(edges).all() for edges in found.values())
    assert intervals(np.zeros_like(true), probabilities, resamples=50)["roc_auc"] is None


@settings(max_examples=8)
@given(ANY, st.booleans())
def test_ranks_without_positives_may_be_merged(seed, ties):
    true, probabilities = example(50, 1, seed, ties, rate=0.15)
    positive, score = true[:, 0] == 1, probabilities[:, 0]
    weights = np.random.default_rng(seed).multinomial(50, np.full(50, 1 / 50), 1).astype(float)
    rows = np.repeat(np.arange(50), weights[0].astype(int))
    if 0 < positive[rows].sum() < len(rows):
        auc, precision = Ranking(positive, score).scores(weights)[:, 0]
        assert auc == pytest.approx(sk.roc_auc_score(positive[rows], score[rows]))
        assert precision == pytest.approx(sk.average_precision_score(positive[rows], score[rows]))


@settings(max_examples=8)
@given(ANY)
def test_each_miss_and_each_addition_is_counted(seed):
    true, probabilities = example(30, 4, seed)
    given_ = decided(probabilities)
    matrix = np.array(missed_and_added(true, given_))
    for i in range(4):
        for j in range(4):
            both = (true[:, i] > given_[:, i]) & (given_[:, j] > true[:, j])
            assert matrix[i, j] == both.sum()
    assert (matrix[:4].sum(1) >= (true > given_).sum(0)).all()
    assert (matrix[:, :4].sum(0) >= (given_ > true).sum(0)).all()
    alone = (true > given_) & ~(given_ > true).any(1, keepdims=True)
    assert matrix[:4, 4].tolist() == alone.sum(0).tolist()


def rivals(seed, count=120):
    true, probabilities = example(count, 4, seed)
    worse = probabilities + np.random.default_rng(seed).normal(size=true.shape) * 0.25
    return true, decided(probabilities), decided(worse)


def test_swapping_two_models_turns_the_sign():
    true, ours, theirs = rivals(0)
    one, two = (MULTILABEL.compare(true, ours, theirs, 2000), MULTILABEL.compare(true, theirs, ours, 2000))
    expected = sk.f1_score(true, ours, average="micro") - sk.f1_score(true, theirs, average="micro")
    assert one["difference"] == pytest.approx(expected) == -two["difference"]
    assert one["interval"][0] <= one["difference"] <= one["interval"][1]
    assert one["interval"] == pytest.approx([-two["interval"][1], -two["interval"][0]], abs=0.01)
    assert one["p"] == pytest.approx(two["p"], abs=0.01)
    assert (one["ours_only"], one["theirs_only"]) == (two["theirs_only"], two["ours_only"])
    right = [(given_ == true).all(1) for given_ in (ours, theirs)]
    assert one["accuracy"]["difference"] == pytest.approx(right[0].mean() - right[1].mean())
    assert one["accuracy"]["p"] == MULTICLASS.compare(*(np.array(x, int) for x in ([1] * 120, *right)))["p"]


def test_equal_models_do_not_differ():
    true, ours, _ = rivals(1)
    found = MULTILABEL.compare(true, ours, ours, 100)
    assert (found["difference"], found["interval"], found["p"]) == (0, [0, 0], 1)
    assert found["accuracy"] == {"difference": 0, "p": 1}


def test_p_is_that_of_swapping_answers_text_by_text():
    true, ours, theirs = rivals(4, 60)
    rng = np.random.default_rng(0)

    def difference(one, two):
        return np.subtract(*(2 * (true & x).sum() / (true.sum() + x.sum()) for x in (one, two)))

    observed, count = abs(difference(ours, theirs)), 0
    for _ in range(2000):
        swap = rng.random((60, 1)) < 0.5
        count += abs(difference(np.where(swap, theirs, ours), np.where(swap, ours, theirs))) >= observed
    assert MULTILABEL.compare(true, ours, theirs, 50)["p"] == pytest.approx(count / 2000, abs=0.03)


def test_chance_alone_is_rarely_called_a_difference():
    """Two models of the same quality: p below 5 % in about 5 % of test sets."""
    found = []
    for seed in range(50):
        true, ours, _ = rivals(seed, 80)
        _, _, theirs = rivals(seed + 1000, 80)
        noise = np.random.default_rng(seed).random((80, 1)) < 0.5
        one, two = np.where(noise, ours, theirs), np.where(noise, theirs, ours)
        found.append(MULTILABEL.compare(true, one, two, 10)["p"] < 0.05)
    assert sum(found) <= 7


def test_calibration_is_that_of_all_labels_of_all_texts():
    rng = np.random.default_rng(0)
    probabilities = rng.random((4000, 5))
    true = (rng.random(probabilities.shape) < probabilities).astype(np.int64)
    good = calibration.calibration(true, probabilities, MULTILABEL)
    bad = calibration.calibration(true, probabilities**2, MULTILABEL)
    assert good["ece"] < 0.02 < bad["ece"]
    assert sum(one["count"] for one in good["bins"]) == 20_000
    assert good["brier"]["score"] == pytest.approx(multilabel_scores(true, probabilities)["brier"])


def test_curves_have_each_label_and_their_mean():
    true, probabilities = example(200, 3)
    true[:, 2] = 0
    found = curves(
        true, probabilities, ["a", "b", "c"], MULTILABEL, np.arange(200), thresholds=[0.3, 0.5, 0.7]
    )
    assert list(found["roc"]) == list(found["pr"]) == ["a", "b"]
    assert found["mean"]["roc"]["auc"] == pytest.approx(sk.roc_auc_score(true[:, :2], probabilities[:, :2]))
    assert np.trapezoid(found["mean"]["roc"]["tpr"], found["mean"]["roc"]["fpr"]) == pytest.approx(
        found["mean"]["roc"]["auc"], abs=0.01
    )
    assert {name: sum(row) for name, row in found["histogram"]["counts"].items()} == {
        name: int(count) for name, count in zip("abc", true.sum(0), strict=True)
    }
    given_ = decided(probabilities, [0.3, 0.5, 0.7])
    assert found["coverage"]["accuracy"][-1] == pytest.approx((given_ == true).all(1).mean())
    whole = sum(one["samples_f1"] * one["count"] for one in found["lengths"]) / 200
    assert whole == pytest.approx(text_f1(true, given_).mean())
    json.dumps(found, allow_nan=False)
