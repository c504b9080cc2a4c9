"""The baselines: their probabilities, their cache, and the methods against their formulas."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import TINY
from hypothesis import given, settings
from hypothesis import strategies as st

import sentiment
from sentiment.core import cache as kept
from sentiment.data.corpus import Corpus, Split, load_corpus
from sentiment.evaluation import baseline_scores, baselines
from sentiment.evaluation.baselines import Answers
from sentiment.metrics.task import MULTICLASS
from sentiment.models import nbsvm


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "sentiment"


@pytest.fixture(scope="module")
def spam():
    return load_corpus("sample_spam")


def chance(corpus):
    return np.full((len(corpus.test), len(corpus.labels)), 1 / len(corpus.labels))


def made(classes=3, count=40, seed=0, texts=None):
    """A corpus whose texts name their class, with noise."""
    rng = np.random.default_rng(seed)

    def split(size):
        labels = rng.permutation(np.arange(size) % classes)
        words = [f"topic{label} " + " ".join(rng.choice(list("abcdef"), 4)) for label in labels]
        return Split(texts(labels) if texts else words, labels)

    names = tuple(f"c{number}" for number in range(classes))
    return Corpus("made", "made", None, names, split(count), split(2 * classes), split(5 * classes))


def untimed(results):
    drop = {"train_seconds", "predict_seconds", "cached"}
    return {name: {k: v for k, v in one.items() if k not in drop} for name, one in results.items()}


def test_scores_and_comparisons_follow_from_the_probabilities(spam):
    ours = chance(spam)
    results = baseline_scores.run(spam, ours, 200)
    assert {"majority", "tfidf_lr", "nbsvm"} <= set(results) == set(baselines.made_for(spam))
    for name, one in results.items():
        train = baselines.BASELINES[name].train
        theirs = train(spam).probabilities
        assert np.allclose(theirs.sum(1), 1)
        assert one | MULTICLASS.scores(spam.test.labels, theirs, spam.labels) == one, name
        assert one["comparison"] == MULTICLASS.compare(
            spam.test.labels, ours.argmax(1), theirs.argmax(1), 200
        )
        assert one["train_seconds"] > 0 < one["predict_seconds"]
        assert one["cached"] is False
    assert results["nbsvm"]["accuracy"] > results["majority"]["accuracy"] + 0.2
    json.dumps(results, allow_nan=False)


def test_the_second_time_nothing_is_trained(spam, monkeypatch):
    told = []
    first = baseline_scores.run(spam, chance(spam), say=told.append)
    trained = sum(not row.instant for row in baselines.made_for(spam).values())
    assert len(told) == trained  # the majority takes no time

    def never(_):
        raise AssertionError("trained again")

    known = {name: replace(row, train=never) for name, row in baselines.BASELINES.items()}
    monkeypatch.setattr(baselines, "BASELINES", known)
    second = baseline_scores.run(load_corpus("sample_spam"), chance(spam), say=told.append)
    assert len(told) == trained
    assert untimed(first) == untimed(second)
    for name, one in second.items():
        assert one["cached"] is True
        assert one["train_seconds"] == first[name]["train_seconds"]
    with pytest.raises(AssertionError, match="trained again"):  # another cut is another matter
        baseline_scores.run(load_corpus("sample_spam", seed=1), chance(spam))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"\x80\x04pickle?", None])
def test_a_damaged_cache_is_trained_over(spam, cache, content):
    first = baseline_scores.run(spam, chance(spam))
    for file in cache.glob("baseline-*.npz"):
        file.write_bytes(file.read_bytes()[:-30] if content is None else content)
    second = baseline_scores.run(spam, chance(spam))
    assert not any(one["cached"] for one in second.values())
    assert untimed(first) == untimed(second)
    assert all(one["cached"] for one in baseline_scores.run(spam, chance(spam)).values())
    assert sorted(file.suffix for file in cache.iterdir()) == [".npz"] * len(first)


@settings(max_examples=200)
@given(place=st.integers(0, 2000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_harmless(place, bit):
    answers = Answers(np.array([[0.25, 0.75], [0.5, 0.5]]), {"C": 1.0, "train_seconds": 2.0})
    baseline_scores.keep("flipped.npz", answers)
    assert baseline_scores.kept("flipped.npz", (2, 2)) is not None
    file = kept.place("flipped.npz")
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    found = baseline_scores.kept(file.name, (2, 2))
    if found is not None:
        assert found.about == answers.about
        assert (found.probabilities == answers.probabilities).all()


def test_a_cache_that_cannot_be_written_to_is_no_failure(spam, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert len(baseline_scores.run(spam, chance(spam))) == 3


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_nbsvm_learns_any_number_of_classes(classes):
    corpus = made(classes)
    answers = baselines.nbsvm(corpus)
    assert answers.probabilities.shape == (len(corpus.test), classes)
    assert np.allclose(answers.probabilities.sum(1), 1)
    assert (answers.probabilities.argmax(1) == corpus.test.labels).all()


def test_nb_features_are_the_log_count_ratios_of_the_paper():
    from scipy import sparse

    present = sparse.csr_array(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 1]], np.float32))
    ratios, weights, _ = nbsvm.fit_side(present, np.array([True, True, False]), 1.0)
    mine, others = np.array([3, 2, 1]), np.array([1, 2, 2])
    assert ratios == pytest.approx(np.log((mine / mine.sum()) / (others / others.sum())))
    assert weights.shape == (3,)


def test_the_answers_do_not_change_from_run_to_run(spam):
    for train in (baselines.tfidf_lr, baselines.nbsvm):
        assert (train(spam).probabilities == train(spam).probabilities).all()


def test_test_texts_have_no_part_in_the_training(spam):
    """Other test texts beside them change nothing in what is said of a text."""
    some = Split(spam.test.texts[:7], spam.test.labels[:7])
    fewer = Corpus("few", "few", None, spam.labels, spam.train, spam.validation, some)
    for baseline in baselines.made_for(spam).values():
        assert baseline.train(fewer).probabilities == pytest.approx(baseline.train(spam).probabilities[:7])


@pytest.mark.parametrize("mark", ["😀😡", "ab", "!?"])
def test_texts_without_words_are_no_failure(mark):
    corpus = made(2, texts=lambda labels: [mark[label] for label in labels])
    for baseline in baselines.made_for(corpus).values():
        assert baseline.train(corpus).probabilities.shape == (10, 2)
    assert (baselines.nbsvm(corpus).probabilities.argmax(1) == corpus.test.labels).all()


@pytest.mark.slow
def test_a_second_training_says_that_they_are_known(tmp_path):
    settings = {**TINY, "report.baselines": True, "training.epochs": 1}
    reports = [sentiment.train("sample_spam", out=tmp_path / n, settings=settings).report for n in "ab"]
    for cached, report in zip((False, True), reports, strict=True):
        assert {one["cached"] for one in report["baselines"].values()} == {cached}
    assert untimed(reports[0]["baselines"]) == untimed(reports[1]["baselines"])
    accuracy = [report["test"]["accuracy"] for report in reports]
    for one in reports[0]["baselines"].values():
        assert one["comparison"]["difference"] == pytest.approx(accuracy[0] - one["accuracy"])
