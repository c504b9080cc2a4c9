"""Slices equal naive counting; mistakes carry their words; flipped labels and planted tokens are found."""

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus.audit import audit, inspect
from sentiment.data.corpus.leakage import leakage
from sentiment.data.corpus.oddities import script
from sentiment.data.corpus.raw import RawCorpus, RawSplit
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import Encoded
from sentiment.evaluation.error_analysis import error_analysis, excerpt, mistakes, suspects
from sentiment.evaluation.evaluate import Scored
from sentiment.evaluation.slices import NEGATION, slices
from sentiment.inference.explain import explain
from sentiment.metrics.decision import Decision
from sentiment.report.audit import findings

NAMES = ("negative", "positive")
WORDS = ["film", "a", "the", "NEVER", "isn't", "12", "see", "www.x.org", "great!", "AWFUL", "not", "café"]


def scored(texts, labels, probabilities, names=NAMES):
    return Scored(texts, labels, probabilities, Decision.plain(names))


def made(count=600, seed=0):
    """Return texts, labels and probabilities in which texts with a digit are often wrong."""
    generator = np.random.default_rng(seed)
    texts = [" ".join(generator.choice(WORDS, generator.integers(1, 12))) for _ in range(count)]
    labels = generator.integers(0, 2, count)
    right = generator.random(count) > np.where(["12" in text for text in texts], 0.5, 0.1)
    sure = generator.uniform(0.5, 1, count)
    good = np.where(labels == right, sure, 1 - sure)
    lengths = np.array([len(text.split()) for text in texts])
    sequences = Sequences(np.zeros(lengths.sum(), np.int32), np.concatenate([[0], np.cumsum(lengths)]))
    unknown = np.where(lengths > 6, generator.random(count).round(1), 0)
    return (
        texts,
        labels,
        np.stack([1 - good, good], 1),
        Encoded(sequences, sequences, unknown, lengths > 9, lengths),
    )


def test_slices_are_what_one_counts():
    texts, labels, probabilities, encoded = made()
    sources = ["shop" if len(text) % 3 else "forum" for text in texts]
    found = slices(scored(texts, labels, probabilities), encoded, sources)
    right = probabilities.argmax(1) == labels
    masks = {
        ("digits", "yes"): [any(map(str.isdigit, text)) for text in texts],
        ("URL", "no"): ["www." not in text for text in texts],
        ("exclamation mark", "yes"): ["!" in text for text in texts],
        ("negation (English words)", "yes"): [
            bool({"NEVER", "isn't", "not"} & set(text.split())) for text in texts
        ],
        ("truncated", "yes"): encoded.truncated,
        ("label", "positive"): labels == 1,
        ("30% capitals or more", "yes"): [
            sum(c.isalpha() for c in text) >= 10
            and sum(c.isupper() for c in text) >= 0.3 * sum(c.isalpha() for c in text)
            for text in texts
        ],
        ("source", "forum"): [len(text) % 3 == 0 for text in texts],
        ("unknown words", "0.0%"): encoded.unknown_rate == 0,
    }
    table = {(one["slice"], one["value"]): one for one in found}
    for key, some in masks.items():
        mask, one = np.array(some), table[key]
        inside, outside = right[mask], right[~mask]
        assert one["count"] == mask.sum()
        assert one["accuracy"] == pytest.approx(inside.mean())
        assert one["difference"] == pytest.approx(inside.mean() - outside.mean())
        wilson = stats.binomtest(int(inside.sum()), len(inside)).proportion_ci(method="wilson")
        assert one["interval"] == [wilson.low, wilson.high]
        exact = stats.fisher_exact(
            [[inside.sum(), (~inside).sum()], [outside.sum(), (~outside).sum()]]
        ).pvalue
        assert one["p"] == pytest.approx(exact)
    assert [one["difference"] for one in found] == sorted(one["difference"] for one in found)
    assert found[0]["slice"] == "digits"
    assert found[0]["q"] < 0.001
    assert [one["q"] for one in found] == pytest.approx(
        stats.false_discovery_control([one["p"] for one in found])
    )


def test_the_parts_of_a_length_are_all_texts_once():
    texts, labels, probabilities, encoded = made()
    for name in ("length", "unknown words"):
        parts = [one for one in slices(scored(texts, labels, probabilities), encoded) if one["slice"] == name]
        assert 2 <= len(parts) <= 4
        assert sum(one["count"] for one in parts) == len(texts)


def test_small_slices_are_left_out():
    texts, labels, probabilities, encoded = made(60)
    counts = [one["count"] for one in slices(scored(texts, labels, probabilities), encoded)]
    assert 20 <= min(counts) <= max(counts) <= 40
    german = ["Das ist ein Film und der ist gut"] * 60
    assert "negation" not in json.dumps(slices(scored(german, labels, probabilities), encoded))
    empty = Encoded(Sequences.of([]), Sequences.of([]), np.empty(0), np.empty(0, bool), np.empty(0, np.int64))
    assert slices(scored([], labels[:0], probabilities[:0]), empty) == []


@pytest.mark.parametrize("text", ["it isn't", "Don’t go", "NOT at all", "wont", "never", "cannot say"])
def test_negations_are_seen(text):
    assert NEGATION.search(text)
    assert not NEGATION.search("Nothingness, a knot of notes and noses")


def test_mistakes_are_the_surest_wrong_ones(tiny):
    texts, labels, probabilities, _ = made()
    texts = [f"{text} number{row}" for row, text in enumerate(texts)]
    found = mistakes(scored(texts, labels, probabilities), partial(explain, tiny))
    wrong = [row for row in range(len(texts)) if probabilities[row].argmax() != labels[row]]
    expected = sorted(wrong, key=lambda row: -probabilities[row].max())[:10]
    assert [one["row"] for one in found] == expected
    for one in found:
        assert one["label"] == NAMES[labels[one["row"]]] != one["predicted"]
        assert one["probability"] == probabilities[one["row"]].max()
        assert (one["text"], one["truncated_text"]) == (texts[one["row"]], False)
        assert "".join(word["text"] for word in one["words"]) == one["text"].replace(" ", "")
    assert all(one["words"] == [] for one in mistakes(scored(texts, labels, probabilities)))


@given(
    st.lists(
        st.tuples(st.text(st.sampled_from("abc漢😀é"), min_size=1, max_size=70), st.integers(-9, 9)),
        max_size=60,
    ),
    st.sampled_from([" ", "\n", "  ", ""]),
    st.integers(10, 80),
)
def test_an_excerpt_keeps_the_offsets_right(pieces, space, longest):
    text, words = "", []
    for piece, weight in pieces:
        words.append({"start": len(text), "end": len(text) + len(piece), "text": piece,
                      "weight": weight})  # fmt: skip
        text += piece + space
    shown, inside = excerpt(text, words, longest)
    assert len(shown) <= longest
    assert (shown == text) == (len(text) <= longest)
    assert shown.strip("…") in text
    for word in inside:
        assert shown[word["start"] : word["end"]] == word["text"]
    if len(text) <= longest:
        assert inside == words


def test_the_words_of_a_mistake_speak_for_the_wrong_class(tiny):
    texts, labels, probabilities, _ = made()
    texts = [f"{text} number{row}" for row, text in enumerate(texts)]
    found = mistakes(scored(texts, labels, probabilities, tiny.labels), partial(explain, tiny))
    assert len(found) == 10
    for one in found:
        [expected] = explain(tiny, [texts[one["row"]]], one["predicted"])
        assert [word["weight"] for word in one["words"]] == [word.weight for word in expected.words]


def test_an_excerpt_shows_the_words_that_weigh_most():
    words, text = [], ""
    for number in range(300):
        piece = f"word{number}"
        words.append({"start": len(text), "end": len(text) + len(piece), "text": piece,
                      "weight": 5.0 if number == 200 else 0.01})  # fmt: skip
        text += piece + " "
    shown, inside = excerpt(text, words)
    assert "word200" in [word["text"] for word in inside]
    assert shown[0] == shown[-1] == "…"
    assert len(shown) > 350


def test_flipped_labels_are_suspected():
    generator = np.random.default_rng(0)
    splits, flipped = {}, set()
    for split in ("validation", "test"):
        truth = generator.integers(0, 3, 300)
        probabilities = generator.dirichlet([1, 1, 1], 300) * 0.15
        probabilities[np.arange(300), truth] += 0.85
        labels = truth.copy()
        rows = generator.choice(300, 12, replace=False)
        labels[rows] = (labels[rows] + 1) % 3
        flipped |= {(split, int(row)) for row in rows}
        splits[split] = scored([f"{split} {row}" for row in range(300)], labels, probabilities, "abc")
    found = suspects(splits)
    told = {(one["split"], one["row"]) for one in found}
    assert told <= flipped
    assert len(told) >= 0.9 * len(flipped)
    for one in found:
        labels, probabilities = splits[one["split"]].labels, splits[one["split"]].probabilities
        assert one["text"] == f"{one['split']} {one['row']}"
        assert one["label"] == "abc"[labels[one["row"]]] != one["suggested"]
        assert one["quality"] == probabilities[one["row"], labels[one["row"]]]
    assert [one["quality"] for one in found] == sorted(one["quality"] for one in found)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_texts_and_absent_classes_are_no_trouble(count):
    texts, labels, probabilities = ["a b"] * count, np.zeros(count, np.int64), np.full((count, 3), 1 / 3)
    encoded = Encoded(
        *[Sequences.of([[1, 2]] * count)] * 2, np.zeros(count), np.zeros(count, bool), np.full(count, 2)
    )
    result = error_analysis(scored(texts, labels, probabilities, ("a", "b", "c")), encoded)
    assert result == {"slices": [], "mistakes": [], "suspects": [], "suspect_count": 0}


def test_the_whole_part_is_json(tiny):
    texts, labels, probabilities, encoded = made()
    result = error_analysis(
        scored(texts, labels, probabilities),
        encoded,
        explain=partial(explain, tiny),
        validation=scored(texts, labels, probabilities),
    )
    assert set(result) == {"slices", "mistakes", "suspects", "suspect_count"}
    assert {one["split"] for one in result["suspects"]} <= {"validation", "test"}
    json.dumps(result, allow_nan=False)


def spoken(count=1000, seed=0):
    """Return texts of common words, and labels that do not depend on them."""
    generator = np.random.default_rng(seed)
    words = ["the", "film", "was", "good", "bad", "and", "I", "saw", "it", "again", "!", "."]
    texts = [" ".join(generator.choice(words, 9)) for _ in range(count)]
    return texts, ["yes" if row % 4 == 0 else "no" for row in range(count)]


def test_a_planted_token_is_found_and_common_words_are_not():
    texts, labels = spoken()
    assert leakage(texts, labels) == []
    planted = [
        f"the Xyz {text}" if label == "yes" and row % 3 else text
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    [found] = [one for one in leakage(planted, labels) if one["kind"] == "token"]
    having = [label for text, label in zip(planted, labels, strict=True) if "Xyz" in text]
    assert found == {
        "kind": "token", "token": "xyz", "label": "yes", "count": len(having), "share": 1.0, "lift": 4.0
    }  # fmt: skip


def test_planted_beginnings_and_endings_are_found_whole():
    texts, labels = spoken()
    planted = [
        f"Re: [list] {text}" if label == "yes" else f"{text} "
        for text, label in zip(texts, labels, strict=True)
    ]
    found = {(one["kind"], one["token"], one["label"]) for one in leakage(planted, labels)}
    assert ("beginning", "Re: [list] ", "yes") in found
    assert ("ending", " ", "no") in found
    assert len([one for one in found if one[0] == "beginning"]) == 1


def test_the_audit_tells_what_is_odd():
    texts = [
        "good film, really",
        "good film, really",
        "Хороший фильм, правда",
        "pаypal account now",
        "a\u200bb c",
    ]
    raw = RawCorpus("x", "x", None, {"train": RawSplit(texts, list("aabab"), ["?"] * 5)})
    lines = "\n".join(findings(inspect(raw, None)))
    for part in ("1 texts repeat", "mostly Cyrillic, while most are Latin", "mixed Latin", "invisible"):
        assert part in lines
    assert inspect(raw, None)["near_duplicates"] is None
    assert [script(text) for text in ("…", "1", "漢字 a", "é")] == ["(none)", "(none)", "Cjk", "Latin"]
    empty = RawCorpus("x", "x", None, {"train": RawSplit(invalid=["x:1: the text is empty"])})
    assert findings(inspect(empty, 0.8)) == ["train: x:1: the text is empty"]


def test_what_the_command_finds_is_what_a_report_holds():
    found = audit(CorpusConfig(name="sample_spam"))
    json.dumps(found, allow_nan=False)
    assert {"splits", "repeats", "conflicts", "near_duplicates", "leakage"} <= set(found)
    assert found["leakage"][0]["label"] == "spam"
