"""Temperature, calibration error and the parts of the Brier score, against plain computations."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from sentiment.metrics import calibration as measured
from sentiment.metrics.calibration import BINS, COLDEST, HOTTEST
from sentiment.metrics.task import MULTICLASS


def temper(probabilities, temperature):
    return MULTICLASS.probabilities(MULTICLASS.logits(probabilities) / temperature)


def fit_temperature(labels, probabilities):
    return measured.fit_temperature(labels, MULTICLASS.logits(probabilities), MULTICLASS)


brier, calibration = (
    partial(function, task=MULTICLASS) for function in (measured.brier, measured.calibration)
)


def example(seed=0, count=300, classes=2, truth=1.0, ties=False):
    """Labels drawn from tempered probabilities: `truth` is the temperature that fits them."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, classes))
    if ties:
        logits = logits.round()
    raw = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (temper(raw, truth).cumsum(1) < rng.random((count, 1))).sum(1).clip(max=classes - 1)
    return labels, raw


CASES = st.tuples(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.integers(2, 4),
    st.sampled_from([0.1, 0.5, 1.0, 3.0, 9.0]),
    st.booleans(),
)


@given(CASES)
def test_a_temperature_never_hurts_and_changes_no_ranking(case):
    labels, raw = example(*case)
    temperature = fit_temperature(labels, raw)
    assert COLDEST <= temperature <= HOTTEST
    tempered = temper(raw, temperature)
    assert np.allclose(tempered.sum(1), 1)
    assert np.array_equal(tempered.argsort(1, kind="stable"), raw.argsort(1, kind="stable"))
    classes = range(raw.shape[1])
    before, after = (sk.log_loss(labels, p, labels=classes) for p in (raw, tempered))
    assert after <= before + 1e-12


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_where_there_are_texts_enough(truth):
    labels, raw = example(count=20_000, truth=truth)
    assert fit_temperature(labels, raw) == pytest.approx(truth, rel=0.05)
    assert calibration(labels, temper(raw, truth))["ece"] < 0.015


@pytest.mark.parametrize("count", [1, 2, 10, 400])
@pytest.mark.parametrize("sure", [0.9, 0.99, 1.0])
def test_a_few_texts_without_a_mistake_prove_little(count, sure):
    labels = np.arange(count) % 2
    raw = np.where(labels[:, None] == [0, 1], sure, 1 - sure)
    assert 0.3 < fit_temperature(labels, raw) <= 1
    assert 1 <= fit_temperature(1 - labels, raw) < HOTTEST  # all wrong: less sure, and finite


def test_tempering_undoes_itself_and_takes_certainty():
    _, raw = example()
    np.testing.assert_allclose(temper(temper(raw, 2.5), 1 / 2.5), raw, atol=1e-12)
    assert temper(np.array([[0.0, 1.0]]), 3.0).tolist() == [[0.0, 1.0]]
    assert temper(np.empty((0, 2)), 2.0).shape == (0, 2)


@settings(max_examples=40)
@given(CASES)
def test_the_calibration_errors_are_the_plain_ones(case):
    labels, probabilities = example(*case)
    found = calibration(labels, probabilities)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    total = 0.0
    edges = np.linspace(0, 1, BINS + 1)
    edges[-1] = np.inf  # a sum of probabilities may be rounded to a little more than 1
    for low, high in itertools.pairwise(edges):
        inside = (low < confidence) & (confidence <= high)
        total += abs(sum(confidence[inside]) - sum(right[inside]))
    assert found["ece"] == pytest.approx(total / len(labels), abs=1e-12)
    for bins, name in ((found["bins"], "ece"), (found["adaptive_bins"], "adaptive_ece")):
        assert sum(row["count"] for row in bins) == len(labels)
        weighted = [row["count"] * abs(row["confidence"] - row["accuracy"]) for row in bins]
        assert found[name] == pytest.approx(sum(weighted) / len(labels))
        for row in bins:
            assert row["low"] - 1e-12 <= row["confidence"] <= row["high"] + 1e-12
            assert row["interval"][0] <= row["accuracy"] <= row["interval"][1]


def test_adaptive_bins_have_equal_mass_and_keep_ties():
    labels, probabilities = example(count=1500)
    assert [row["count"] for row in calibration(labels, probabilities)["adaptive_bins"]] == [100] * BINS
    tied = calibration(labels, np.full((1500, 2), 0.5))["adaptive_bins"]
    assert [row["count"] for row in tied] == [1500]


@settings(max_examples=40)
@given(CASES)
def test_the_parts_of_the_brier_score_add_up(case):
    labels, probabilities = example(*case)
    parts = brier(labels, probabilities)
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within_bins"]
    assert parts["score"] == pytest.approx(total, abs=1e-12)
    two = probabilities.shape[1] == 2
    form = probabilities[:, 1] if two else probabilities
    expected = sk.brier_score_loss(labels, form, labels=range(probabilities.shape[1]))
    assert parts["score"] == pytest.approx(expected)
    shares = np.bincount(labels) / len(labels)
    assert parts["uncertainty"] == pytest.approx((shares * (1 - shares)).sum() / (2 if two else 1))
    assert parts["reliability"] >= 0
    assert parts["resolution"] >= 0


def test_forecasts_of_one_value_a_bin_leave_nothing_within_the_bins():
    labels, _ = example()
    forecast = np.random.default_rng(0).choice([0.1, 0.5, 0.9], len(labels))
    parts = brier(labels, np.stack([1 - forecast, forecast], 1))
    assert parts["within_bins"] == pytest.approx(0, abs=1e-12)
