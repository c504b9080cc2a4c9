"""Corpora: found, understood, and divided so that no text stands on two sides."""

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentiment.core.errors import CorpusError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import PRESETS, RawCorpus, RawSplit, divide, load_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.corpus.columns.asked import find_column
from sentiment.data.corpus.labels import label_name
from sentiment.data.identity import near_duplicates, normalise

WORDS = st.sampled_from(
    ["good", "Good!", "good.", "bad", "BAD", "so so", "fine", "a", "b", "c", "d", "😀", "😡"]
)


def raw(train, **others):
    splits = {"train": train, **others}
    return RawCorpus(
        "x",
        "x",
        None,
        {
            role: RawSplit([text for text, _ in rows], [label for _, label in rows])
            for role, rows in splits.items()
        },
    )


def many(label, count):
    return [(f"{label} number {'i' * i}", label) for i in range(1, count + 1)]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.tuples(WORDS, WORDS), st.sampled_from(["n", "p"])), max_size=60),
    st.lists(st.tuples(st.tuples(WORDS, WORDS), st.sampled_from(["n", "p"])), max_size=20),
    st.sampled_from(["drop", "keep"]),
    st.integers(0, 5),
)
def test_no_text_stands_on_two_sides(train, test, repeats, seed):
    train = [(" ".join(text), label) for text, label in train] + many("n", 12) + many("p", 12)
    test = [(" ".join(text), label) for text, label in test]
    others = {"test": test} if test else {}
    corpus = divide(raw(train, **others), CorpusConfig(repeats=repeats), seed)
    sides = [
        {normalise(text) for text in split.texts} for split in (corpus.train, corpus.validation, corpus.test)
    ]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    if test:
        assert corpus.test.texts == [text for text, _ in test]  # kept whole
    if repeats == "drop":
        assert len(sides[0]) == len(corpus.train)
    lost = sum(corpus.left_out.values())
    assert sum(corpus.sizes.values()) + lost == len(train) + len(test)


def test_cuts_are_stratified_and_by_seed():
    data = raw(many("ham", 400) + many("spam", 100))
    first, again, other = (divide(data, CorpusConfig(), seed) for seed in (1, 1, 2))
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    for split, size in ((first.test, 100), (first.validation, 40)):
        assert len(split) == size
        assert np.mean(split.labels == first.labels.index("spam")) == pytest.approx(0.2, abs=0.01)


def test_the_cut_seed_can_differ_from_the_run_seed():
    data = raw(many("a", 50) + many("b", 50))
    cuts = [divide(data, CorpusConfig(seed=3), seed).fingerprint() for seed in (0, 1)]
    assert cuts[0] == cuts[1]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("more.txt", "one more text\na second one\n"),
        ("more.csv", "text\none more text\na second one\n"),
        ("more.jsonl", '{"review": "one more text"}\n{"review": "a second one"}\n'),
    ],
)
def test_a_file_can_bring_unlabelled_texts(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    settings = CorpusConfig(name="sample", unlabelled=str(tmp_path / name), text_column="text")
    assert load_corpus(settings, 0).unlabelled == ["one more text", "a second one"]


@pytest.mark.parametrize(
    ("content", "words"), [("", "no rows"), ("a,b\n1,2\n", "--text-column"), ("text\nfine\n''\n", "empty")]
)
def test_an_unusable_file_of_unlabelled_texts(tmp_path, content, words):
    (tmp_path / "more.csv").write_text(content.replace("''", '""'))
    with pytest.raises(CorpusError, match=words):
        load_corpus(CorpusConfig(name="sample", unlabelled=str(tmp_path / "more.csv")), 0)


def test_texts_of_test_leave_all_other_sides():
    corpus = divide(
        raw(
            many("n", 9) + many("p", 9),
            test=[("N NUMBER I!", "n")],
            validation=[("p number ii", "p"), ("n number i", "n")],
            unlabelled=[("n, number i", None), ("other", None)],
        ),
        CorpusConfig(),
    )
    assert corpus.left_out == {
        "training texts in test": 1,
        "validation texts in test": 1,
        "training texts in validation": 1,
        "unlabelled texts in test": 1,
    }
    assert corpus.unlabelled == ["other"]


def test_near_duplicates_leave_training_if_asked():
    long = (
        "this one is quite a long text about a film that I have seen yesterday evening with all my friends "
    )
    data = raw(
        [*many("n", 20), *many("p", 20), (long + "today", "n")], test=[(long + "tonight", "n"), ("p", "p")]
    )
    kept, dropped = (divide(data, CorpusConfig(near_duplicates=value)) for value in ("keep", "drop"))
    assert kept.sizes["train"] == dropped.sizes["train"] + 1
    assert dropped.left_out["near-duplicate training texts"] == 1


def test_near_duplicates_agree_with_every_pair_compared():
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(30)]
    texts = [" ".join(rng.choice(words, 40)) for _ in range(30)]
    texts += [text + " more" for text in texts[:10]]
    assert near_duplicates(texts, 0.8) == [(i, 30 + i) for i in range(10)]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (raw(many("n", 9)), "two classes"),
        (raw(many("n", 9) + many("p", 2)), "'p' has 2"),
        (raw(many("n", 9) + many("p", 9), test=[("t", "q")]), "'q'"),
        (raw([(f"text {i * 'i'}", str(i)) for i in range(20)]), "label column"),
        (raw(many("n", 9) + many("p", 9), test=[("t", None)]), "none of its 1"),
        (raw([]), "no usable texts"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(data, word):
    with pytest.raises(CorpusError, match=word):
        divide(data, CorpusConfig())


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "1"), ("pos ", "pos"), (True, "true"), (2.0, "2"), (None, None), (float("nan"), None), ("", None)],
)
def test_labels_of_every_type(value, name):
    assert label_name(value) == name


@pytest.mark.parametrize("value", [float("inf"), ["a"], {"a": 1}, b"a"])
def test_what_is_no_label_is_refused(value):
    with pytest.raises(ValueError, match="label"):
        label_name(value)


def test_number_labels_are_in_order_of_number():
    corpus = divide(
        raw([(f"{i} {'x' * n}", str(i)) for i in range(1, 12) for n in range(1, 9)]), CorpusConfig()
    )
    assert corpus.labels == tuple(map(str, range(1, 12)))


def test_a_missing_column_names_the_nearest_and_all():
    with pytest.raises(CorpusError, match=r"did you mean 'body'.*'body', 'stars'"):
        find_column(["body", "stars"], "bdy", "x.csv")


def test_files_of_every_kind_give_the_same_corpus(tmp_path):
    rows = many("n", 20) + many("p", 20)
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in rows), "utf-8"
    )
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f"{t}\t{c}\n" for t, c in rows), "utf-8")
    for number, (text, label) in enumerate(rows):
        (tmp_path / "folder" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / label / f"{number:03}.txt").write_text(text, "utf-8")
    corpora = [load_corpus(str(tmp_path / name)) for name in ("a.jsonl", "a.tsv", "folder")]
    assert len({corpus.fingerprint() for corpus in corpora}) == 1


def test_validation_and_test_files_are_used(tmp_path):
    for name, rows in {
        "train": many("n", 9) + many("p", 9),
        "dev": [("v", "n")],
        "test": [("t", "p")],
    }.items():
        (tmp_path / f"{name}.csv").write_text(
            "text,label\n" + "".join(f"{t},{c}\n" for t, c in rows), "utf-8"
        )
    corpus = load_corpus(
        CorpusConfig(
            name=str(tmp_path / "train.csv"),
            validation=str(tmp_path / "dev.csv"),
            test=str(tmp_path / "test.csv"),
        )
    )
    assert (corpus.validation.texts, corpus.test.texts, corpus.cut) == (["v"], ["t"], ())


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if preset.file])
def test_the_shipped_samples_are_what_they_claim(name):
    corpus = load_corpus(name)
    assert sum(corpus.sizes.values()) == int(PRESETS[name].size) >= 600
    assert not corpus.left_out
    texts = corpus.train.texts + corpus.validation.texts + corpus.test.texts
    assert not near_duplicates(texts, 0.5)  # not templated
    openings = Counter(" ".join(text.split()[:3]).casefold() for text in texts)
    assert openings.most_common(1)[0][1] <= len(texts) // 50


def test_an_audit_finds_what_was_planted(tmp_path):
    rows = [
        *many("n", 9),
        *many("p", 9),
        ("N number i", "p"),
        ("n number i", "n"),
        ("bad <b>markup</b>", "n"),
        ("cafÃ© was", "p"),
    ]
    file = tmp_path / "a.jsonl"
    lines = [{"text": t, "label": c} for t, c in rows] + [{"text": "", "label": "n"}]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    found = audit(CorpusConfig(name=str(file)))
    split = found["splits"]["train"]
    assert split["texts"] == len(rows)
    assert split["unusable_rows"]["examples"] == [f"a.jsonl:{len(lines)}: the text is empty"]
    assert {name.split()[0] for name in split["oddities"]} == {"HTML", "wrongly"}
    assert found["repeats"] == [{"of": "train", "in": "train", "exact": 1, "normalised": 2}]
    assert found["conflicts"]["count"] == 1


def test_equal_hints_have_one_order_in_every_process():
    ask = (
        "import json; from sentiment.data.corpus import PRESETS; from sentiment.data.corpus.leakage import leakage\n"
        "rows = [json.loads(line) for line in PRESETS['sample_spam'].path().open(encoding='utf-8')]\n"
        "print(leakage([row['text'] for row in rows], [row['label'] for row in rows]))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", ask],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "01"
    }
    assert len(told) == 1
    assert "http" in told.pop()
