"""Paired tests: what scipy and naive formulas say, and what must hold of any two classifiers."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from sentiment.metrics.significance import corrected_t, holm
from sentiment.metrics.task import MULTICLASS

comparison = MULTICLASS.compare

cases = st.tuples(st.integers(0, 10**6), st.integers(1, 120), st.integers(2, 5))


def example(seed, count, classes=2, ours=0.7, theirs=0.6):
    """Labels, and two predictions that are right about that often."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    noise = rng.integers(0, classes, (2, count))
    right = rng.random((2, count)) < [[ours], [theirs]]
    return labels, *np.where(right, labels, noise)


@settings(max_examples=50)
@given(cases)
def test_p_is_that_of_the_binomial_written_out(case):
    labels, ours, theirs = example(*case)
    found = comparison(labels, ours, theirs, 100)
    b, c = found["ours_only"], found["theirs_only"]
    assert b == sum((ours == labels) & (theirs != labels))
    assert c == sum((ours != labels) & (theirs == labels))
    tail = 2 * sum(comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert found["p"] == pytest.approx(min(1, tail))
    if b + c:
        assert found["p"] == stats.binomtest(b, b + c, 0.5).pvalue


@settings(max_examples=50)
@given(cases)
def test_differences_are_scikit_learns_and_lie_in_their_intervals(case):
    labels, ours, theirs = example(*case)
    found = comparison(labels, ours, theirs, 400)
    assert found["difference"] == pytest.approx(
        sk.accuracy_score(labels, ours) - sk.accuracy_score(labels, theirs)
    )
    assert found["mcc"]["difference"] == pytest.approx(
        sk.matthews_corrcoef(labels, ours) - sk.matthews_corrcoef(labels, theirs)
    )
    low, high = found["interval"]
    assert low - 1e-12 <= found["difference"] <= high + 1e-12
    assert found["difference"] * 100 == pytest.approx(
        100 * (found["ours_only"] - found["theirs_only"]) / len(labels)
    )


def test_swapping_the_two_turns_the_sign():
    labels, ours, theirs = example(1, 500)
    one, two = comparison(labels, ours, theirs, 4000), comparison(labels, theirs, ours, 4000)
    assert one["p"] == two["p"]
    assert one["difference"] == -two["difference"]
    assert (one["ours_only"], one["theirs_only"]) == (two["theirs_only"], two["ours_only"])
    assert one["interval"] == pytest.approx([-two["interval"][1], -two["interval"][0]], abs=0.004)


def test_equal_predictions_do_not_differ():
    labels, ours, _ = example(0, 50, 3)
    found = comparison(labels, ours, ours, 100)
    assert (found["difference"], found["interval"], found["p"]) == (0, [0, 0], 1)
    assert (found["mcc"]["difference"], found["mcc"]["interval"]) == (0, [0, 0])
    assert (found["ours_only"], found["theirs_only"]) == (0, 0)


def test_a_seed_gives_the_same_interval_and_nothing_is_nan():
    labels, ours, theirs = example(3, 8, 5)
    assert comparison(labels, ours, theirs) == comparison(labels, ours, theirs)
    assert np.isfinite(comparison(labels, ours, theirs)["mcc"]["interval"]).all()


@pytest.mark.slow
def test_the_interval_is_that_of_drawing_the_texts_themselves():
    labels, ours, theirs = example(5, 300)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 300, (4000, 300))
    for key, score in (("accuracy", sk.accuracy_score), ("mcc", sk.matthews_corrcoef)):
        drawn = [score(labels[r], ours[r]) - score(labels[r], theirs[r]) for r in rows[:1000]]
        found = comparison(labels, ours, theirs, 4000)
        found = found if key == "accuracy" else found["mcc"]
        assert found["interval"] == pytest.approx(np.percentile(drawn, [2.5, 97.5]), abs=0.015)


def test_intervals_hold_the_truth_as_often_as_they_say():
    labels, ours, theirs = example(0, 100_000)
    truth = (ours == labels).mean() - (theirs == labels).mean()
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):
        rows = rng.integers(0, len(labels), 200)
        low, high = comparison(labels[rows], ours[rows], theirs[rows], 400)["interval"]
        held += low <= truth <= high
    assert 178 <= held <= 199


def test_holm_is_the_step_down_of_the_book():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=15))
def test_without_overlap_the_corrected_test_is_students(thousandths):
    differences = np.array(thousandths) / 1000
    found = corrected_t(differences, 0)
    if np.ptp(differences) > 1e-12:
        assert found["interval"][0] <= found["mean"] <= found["interval"][1]
        theirs = stats.ttest_1samp(differences, 0)
        assert found["p"] == pytest.approx(theirs.pvalue)
        assert found["interval"] == pytest.approx(list(theirs.confidence_interval()))


def test_overlap_makes_the_corrected_test_careful():
    differences = [0.02, 0.01, 0.03, 0.02, 0.015]
    plain, corrected = corrected_t(differences, 0), corrected_t(differences, 0.25)
    assert plain["p"] < corrected["p"]
    error = np.sqrt((1 / 5 + 0.25) * np.var(differences, ddof=1))
    assert corrected["p"] == pytest.approx(2 * stats.t.sf(np.mean(differences) / error, 4))


def test_equal_differences_prove_nothing():
    for value, p in ((0.0, 1.0), (0.1, None)):
        assert corrected_t([value] * 3, 0.25) == {"mean": pytest.approx(value), "interval": None, "p": p}
