"""The n-grams beside the recurrence: what they count, that they add up, and that they help only if they do."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st

import sentiment
from sentiment.core.errors import BundleError
from sentiment.data.corpus import Corpus, Split
from sentiment.data.sequences import Sequences
from sentiment.inference import predictor
from sentiment.inference.bundle import NGRAMS
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.metrics.decision import Decision
from sentiment.metrics.task import task
from sentiment.models import ngrams
from sentiment.models.ngrams import Counted, NGrams, Patterns
from sentiment.report.renderers import card

texts = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=8)


patterns = st.builds(Patterns, st.integers(1, 4), st.integers(0, 3), st.integers(0, 5))


def naive(ids: list[int], asked: Patterns) -> set[tuple[bool, int, tuple[int, ...]]]:
    runs = [
        (at, 0, tuple(ids[at : at + n]))
        for n in range(1, asked.longest + 1)
        for at in range(len(ids) - n + 1)
    ]
    pairs = [
        (at, gap, (ids[at], ids[at + gap + 1]))
        for gap in range(1, asked.gap + 1)
        for at in range(len(ids) - gap - 1)
    ]
    last = len(ids) - asked.ending
    return {(False, gap, gram) for _, gap, gram in runs + pairs} | {
        (True, gap, gram) for at, gap, gram in runs + pairs if at >= last
    }


def table(sequences: Sequences, sides: int, asked: Patterns) -> NGrams:
    """Give every n-gram of some texts a weight."""
    hashes, _ = asked.counted(sequences)
    weights = np.random.default_rng(0).normal(size=(len(hashes), sides)).astype(np.float32)
    return NGrams(asked, hashes, weights, np.ones(sides, np.float32))


@given(texts, patterns)
def test_counts_are_those_of_sets_of_tuples(ids: list[list[int]], asked: Patterns) -> None:
    hashes, counts = asked.counted(Sequences.of(ids))
    sets = [naive(text, asked) for text in ids]
    different = set().union(*sets)
    assert len(hashes) == len(different)  # no two of these few have one hash
    assert sorted(counts) == sorted(sum(one in text for text in sets) for one in different)


@given(texts, st.sampled_from([1, 3]), patterns)
def test_a_text_has_the_same_logits_in_every_company(
    ids: list[list[int]], sides: int, asked: Patterns
) -> None:
    sequences = Sequences.of(ids)
    found = table(sequences, sides, asked)
    alone = [found.logits(Sequences.of([text]))[0] for text in ids]
    assert found.logits(sequences) == pytest.approx(np.array(alone))
    assert found.logits(sequences).shape == (len(ids), 2 if sides == 1 else sides)


def test_parts_of_many_texts_are_counted_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    sequences = Sequences.of([generator.integers(0, 5, size) for size in generator.integers(1, 30, 40)])
    asked = Patterns(3, 2, 4)
    found = table(sequences, 2, asked)
    whole = found.logits(sequences)
    monkeypatch.setattr("sentiment.models.patterns.AT_ONCE", 20)
    assert found.logits(sequences) == pytest.approx(whole)
    assert np.array_equal(asked.counted(sequences)[0], found.hashes)


@given(texts, st.sampled_from([1, 3]), patterns)
def test_what_the_tokens_contribute_sums_to_the_logits(
    ids: list[list[int]], sides: int, asked: Patterns
) -> None:
    found = table(Sequences.of(ids), sides, asked)
    for text in ids:
        each = found.contributions(np.array(text))
        bias = found.logits(Sequences.of([[]]))[0]
        assert each.shape == (len(text), found.logits(Sequences.of([text])).shape[1])
        assert each.sum(0) + bias == pytest.approx(found.logits(Sequences.of([text]))[0], abs=1e-5)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = table(Sequences.of([[1, 2, 3], [2, 3, 4]]), 3, Patterns(2, 1, 1))
    found.save(tmp_path / NGRAMS)
    again = NGrams.load(tmp_path / NGRAMS, 3, "multiclass")
    assert np.array_equal(again.hashes, found.hashes)
    assert again.patterns == found.patterns
    assert again.weights == pytest.approx(found.weights, rel=1e-3)
    with pytest.raises(ValueError, match="4 labels"):
        NGrams.load(tmp_path / NGRAMS, 4, "multiclass")


def corpus_of(classes: int) -> tuple[Corpus, Sequences, Sequences]:
    """Make texts whose class is told by one pair of tokens in a row, and by no token alone."""
    generator = np.random.default_rng(0)

    def split(count: int) -> tuple[Split, Sequences]:
        labels = np.arange(count) % classes
        ids = []
        for label in labels:
            noise = generator.integers(50, 90, 8)
            noise[3], noise[4] = label, (label + 1) % classes
            noise[6] = (label + 2) % classes if classes > 2 else 1 - label
            ids.append(noise.astype(np.int32))
        return Split([" ".join(map(str, one)) for one in ids], labels), Sequences.of(ids)

    (train, ours), (validation, theirs) = split(400), split(100)
    names = tuple("abc"[:classes])
    return Corpus("x", "x", None, names, train, validation, validation), ours, theirs


def together(table: NGrams, probabilities: Any, sequences: Sequences) -> Any:
    """Return the probabilities (B, C) of a recurrence and n-grams."""
    kind = task(table.task)
    return kind.probabilities(kind.logits(probabilities) + table.logits(sequences))


@pytest.mark.parametrize("classes", [2, 3])
def test_what_pairs_tell_is_learned_and_used(classes: int) -> None:
    corpus, train, validation = corpus_of(classes)
    ignorant = np.full((len(corpus.validation), classes), 1 / classes)
    found, about = ngrams.fit(
        corpus, Counted(Patterns(2), train, validation), corpus.train.labels, np.log(ignorant)
    )
    assert found is not None
    assert about["share"] > 0
    both = together(found, ignorant, validation)
    assert (both.argmax(1) == corpus.validation.labels).mean() > 0.95
    assert both.sum(1) == pytest.approx(1)
    assert about["validation"]["both"]["log_loss"] < about["validation"]["recurrent"]["log_loss"]


def test_what_only_the_end_tells_is_learned_and_short_texts_have_none() -> None:
    generator = np.random.default_rng(0)

    def split(count: int, length: int) -> tuple[Split, Sequences]:
        labels = np.arange(count) % 2
        ids = generator.integers(50, 90, (count, length)).astype(np.int32)
        ids[:, 1], ids[:, -2] = 1 - labels, labels  # both words are in all texts, in either order
        return Split([" ".join(map(str, one)) for one in ids], labels), Sequences.of(list(ids))

    for length, right in ((20, True), (9, False)):
        (train, ours), (validation, theirs) = split(400, length), split(100, length)
        corpus = Corpus("x", "x", None, ("a", "b"), train, validation, validation)
        ignorant = np.full((100, 2), 0.5)
        _, about = ngrams.fit(
            corpus, Counted(Patterns(1, ending=5), ours, theirs), train.labels, np.log(ignorant)
        )
        assert (about["validation"]["ngrams"]["accuracy"] > 0.95) is right
        assert about["ending"] == (5 if right else 0)


def test_a_recurrence_that_is_always_right_stays_so() -> None:
    corpus, train, validation = corpus_of(2)
    scrambled = Corpus("x", "x", None, corpus.labels, corpus.train, corpus.validation, corpus.test)
    np.random.default_rng(3).shuffle(scrambled.train.labels)  # n-grams learn nothing
    sure = np.eye(2)[corpus.validation.labels] * 0.98 + 0.01
    found, _ = ngrams.fit(
        scrambled, Counted(Patterns(2), train, validation), scrambled.train.labels, np.log(sure)
    )
    both = sure if found is None else together(found, sure, validation)
    assert (both.argmax(1) == corpus.validation.labels).all()


def test_texts_beyond_the_corpus_teach_too() -> None:
    corpus, train, validation = corpus_of(2)
    further = Sequences.joined([train, validation])
    labels = np.concatenate([corpus.train.labels, corpus.validation.labels])
    ignorant = np.full((len(corpus.validation), 2), 0.5)
    _, alone = ngrams.fit(
        corpus, Counted(Patterns(2), train, validation), corpus.train.labels, np.log(ignorant)
    )
    found, about = ngrams.fit(corpus, Counted(Patterns(2), further, validation), labels, np.log(ignorant))
    assert found is not None
    assert about["count"] > alone["count"]
    assert about["validation"]["ngrams"]["accuracy"] > 0.95


def test_several_labels_are_told_each_by_its_own_ngrams() -> None:
    corpus, train, validation = corpus_of(3)
    several = [np.eye(3, dtype=np.int64)[split.labels] for split in (corpus.train, corpus.validation)]
    for labels in several:
        labels[::6] = 0  # none at all
    held_out = Split(corpus.validation.texts, several[1])
    split = Split(corpus.train.texts, several[0])
    mine = Corpus("x", "x", None, corpus.labels, split, held_out, held_out, task="multilabel")
    ignorant = np.full((len(held_out), 3), 0.3)
    found, about = ngrams.fit(
        mine, Counted(Patterns(2), train, validation), mine.train.labels, np.log(ignorant / (1 - ignorant))
    )
    assert found is not None
    both = together(found, ignorant, validation)
    assert both.shape == (len(held_out), 3)
    assert about["validation"]["both"]["log_loss"] < about["validation"]["recurrent"]["log_loss"]
    logits = np.log(ignorant / (1 - ignorant)) + found.logits(validation)
    assert both == pytest.approx(1 / (1 + np.exp(-logits)))


def test_grades_are_told_as_classes_are_and_decided_by_their_median(tmp_path: Path) -> None:
    corpus, train, validation = corpus_of(3)
    labels = corpus.validation.labels
    ignorant = np.tile([0.3, 0.3, 0.4], (len(labels), 1))
    found, about = ngrams.fit(
        replace(corpus, task="ordinal"),
        Counted(Patterns(2), train, validation),
        corpus.train.labels,
        np.log(ignorant),
    )
    assert found is not None
    found.save(tmp_path / NGRAMS)
    again = NGrams.load(tmp_path / NGRAMS, 3, "ordinal")
    both = together(again, ignorant, validation)
    logits = np.log(ignorant) + again.logits(validation)
    assert both == pytest.approx(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
    chosen, _ = Decision.plain("abc", task("ordinal")).decide(both)
    assert np.array_equal(chosen, (both.cumsum(1) < 0.5).sum(1))
    scores = about["validation"]
    assert scores["both"]["mae"] == pytest.approx(np.abs(chosen - labels).mean(), abs=0.02)
    assert scores["both"]["mae"] < 0.05 < scores["recurrent"]["mae"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    out = tmp_path_factory.mktemp("wide") / "made"
    return sentiment.train(
        "sample", out=out, settings=TINY | {"ngrams.longest": 3, "ngrams.gap": 1, "ngrams.ending": 5}
    )


def test_a_bundle_has_them_and_says_the_same_again(
    trained: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = trained.bundle
    assert bundle.ngrams is not None
    assert (bundle.folder / NGRAMS).is_file()
    assert trained.report["ngrams"]["count"] == len(bundle.ngrams.hashes)
    assert bundle.ngrams.patterns == Patterns(3, 1, 5)
    assert "pairs with up to 1 between, those of the last 5 apart too" in card(trained.report)
    texts = ["a moving film, well acted", "dull from the first minute to the last"] * 3
    monkeypatch.setattr(predictor, "WARM", 9.0)  # seconds: NumPy
    numpy = trained.probabilities(texts)[0]
    assert sentiment.load(bundle.folder).probabilities(texts)[0] == pytest.approx(numpy, abs=1e-12)
    bundle.model.eval()
    monkeypatch.setattr(predictor, "WARM", 0.0)  # torch, however short
    assert trained.probabilities(texts)[0] == pytest.approx(numpy, abs=1e-5)


def test_the_report_says_what_each_of_both_reaches(trained: Predictor) -> None:
    shown = card(trained.report)
    assert "Recurrence and n-grams" in shown
    assert f"{trained.report['ngrams']['count']:,} n-grams" in shown
    assert f"{trained.report['ngrams']['validation']['recurrent']['log_loss']:.3f}" in shown


def test_a_table_that_is_damaged_is_refused(trained: Predictor, tmp_path: Path) -> None:
    copied = tmp_path / "copy"
    shutil.copytree(trained.bundle.folder, copied)
    (copied / NGRAMS).write_bytes(b"no table")
    with pytest.raises(BundleError, match=NGRAMS):
        sentiment.load(copied)
    (copied / NGRAMS).unlink()
    with pytest.raises(BundleError, match="missing"):
        sentiment.load(copied)


def test_explanations_are_of_both_together(trained: Predictor) -> None:
    text = "A moving film, well acted, and not dull for a moment."
    (found,) = explain(trained, [text])
    (shares,), _ = trained.probabilities([text])
    side = trained.labels.index(found.explained)
    assert found.difference == pytest.approx(np.log(shares[side] / shares[1 - side]), abs=1e-4)
    total = sum(word.weight or 0 for word in found.words)
    assert total == pytest.approx(found.difference - found.baseline_difference, abs=0.02)


def test_they_read_what_the_recurrence_does_not(trained: Predictor) -> None:
    table = trained.bundle.ngrams
    assert table is not None
    words = ["dull" if place == 400 else "the" for place in range(800)]  # it reads 300 at either end
    texts = [" ".join(words), " ".join(["the"] * 800)]
    shares, encoded = trained.probabilities(texts)
    assert encoded.truncated.all()
    assert (encoded.sequences[0] == encoded.sequences[1]).all()
    logits, expected = np.log(shares), table.logits(encoded.whole)
    change = np.diff(expected, axis=0)[0] / trained.bundle.decision.temperature
    assert abs(change[1]) > 0.01
    assert np.diff(logits[:, 1] - logits[:, 0])[0] == pytest.approx(change[1] - change[0], abs=1e-6)
    (found,) = explain(trained, texts[:1])
    assert found.words[400].text == "dull"
    assert found.words[400].weight
    total = sum(word.weight or 0 for word in found.words)
    assert total == pytest.approx(found.difference - found.baseline_difference, abs=0.02)


def test_without_them_there_is_no_file(tmp_path: Path) -> None:
    made = sentiment.train("sample", out=tmp_path / "made", settings=TINY)
    assert made.bundle.ngrams is None
    assert not (tmp_path / "made" / NGRAMS).exists()
    assert "ngrams" not in made.report
