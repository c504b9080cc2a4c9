"""Texts to ids: injection-safe, never empty, truncated as asked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_tokenizers import KINDS, TEXTS, TOKENIZERS, trained

from sentiment.core.errors import BundleError, CorpusError
from sentiment.core.sections.data import TokenizerConfig
from sentiment.data import tokenizer as module
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import CHUNK, MANY, PAD, UNKNOWN, Tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_tokenizer_is_the_same(kind, tmp_path):
    tokenizer = trained(kind=kind)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json", tokenizer.config)
    hostile = [*TEXTS, "<pad> <unk> unseen ÄÖ 漢字", ""]
    for one in (tokenizer, loaded):
        assert np.array_equal(
            one.encode(hostile).sequences.values, tokenizer.encode(hostile).sequences.values
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("special", [PAD, UNKNOWN])
def test_a_spelled_special_token_is_plain_text(kind, special, tmp_path):
    tokenizer = trained(kind=kind)
    tokenizer.save(tmp_path / "t.json")
    tokenizer = Tokenizer.load(tmp_path / "t.json", tokenizer.config)
    ids = tokenizer.encode([f"good {special} film"]).sequences[0]
    assert 0 not in ids
    assert len(ids) > 3  # the brackets and the name, not one token


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_every_text_has_a_token_and_the_same_ones_alone(kind, texts):
    tokenizer = TOKENIZERS[kind]
    together = tokenizer.encode(texts)
    assert len(together.sequences) == len(texts)
    for row, text in enumerate(texts):
        alone = tokenizer.encode([text])
        assert len(alone.sequences[0]) >= 1
        assert np.array_equal(alone.sequences[0], together.sequences[row])
        assert 0 <= alone.unknown_rate[0] <= 1


PIECES = ["a", "B", "1", "22", "333", "4444", "ä", "Ä", "ß", "²", "µ", "İ", "Σ", "ſ", "\xa0", "<br />", "<br>", "<pad>", "www.", "WWW.", "http://", "://",
          " ", "\n", "\t", "\x1c", "\x85", ".", "-", "_", "0"]  # fmt: skip
BULK = [
    trained(),
    trained(lowercase=False, numbers="keep"),
    trained(urls="keep", strip_html=False),
    trained(strip_accents=True),
    *TOKENIZERS.values(),
]


@given(texts=st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), min_size=1, max_size=20))
def test_many_texts_at_once_have_the_tokens_of_each_alone(texts):
    many = texts * MANY  # normalized in bulk where they are ASCII
    for tokenizer in BULK:
        together = tokenizer.encode(many).sequences
        for row, text in enumerate(texts):
            assert np.array_equal(tokenizer.encode([text]).sequences[0], together[row]), text


def test_chunks_keep_their_order():
    texts = [f"good film {'long ' * (row % 7)}" for row in range(CHUNK + 300)]
    encoded = TOKENIZERS["word"].encode(texts)
    assert encoded.sequences.lengths.tolist() == [2 + row % 7 for row in range(len(texts))]


@pytest.mark.parametrize(
    ("settings", "text", "tokens"),
    [
        ({}, "GOOD film", ["good", "film"]),
        ({"lowercase": False}, "GOOD film", ["GOOD", "film"]),
        ({"strip_accents": True}, "café", ["cafe"]),
        ({"strip_html": True}, "good<br />film", ["good", "film"]),
        ({"strip_html": True}, "film br", ["film", UNKNOWN]),
        ({"strip_html": False}, "film br", ["film", "br"]),
        ({"numbers": "shape"}, "in 1234 2", [UNKNOWN, "0000", "2"]),
        ({"numbers": "keep"}, "1997 and", ["1997", "and"]),
        ({"urls": "mask"}, "see www.x.example/y?z=1 please", ["see", "URL", "please"]),
        ({"urls": "keep"}, "see https://films please", ["see", "https", "://", "films", "please"]),
        ({"min_frequency": 4}, "please good", [UNKNOWN, "good"]),
        ({"max_size": 5}, "good waste", ["good", UNKNOWN]),
        ({"kind": "char", "lowercase": True}, "GOod", ["g", "o", "o", "d"]),
    ],
)
def test_every_setting_does_what_it_says(settings, text, tokens):
    tokenizer = trained(**settings)
    vocabulary = tokenizer.vocabulary
    assert [vocabulary[i] for i in tokenizer.encode([text]).sequences[0]] == tokens


def test_truncation_and_unknown_tokens_are_reported():
    encoded = trained(max_length=4).encode(["good good good film nowhere", "film"])
    assert encoded.truncated.tolist() == [True, False]
    assert encoded.unknown_rate.tolist() == [0.2, 0.0]
    assert encoded.sequences.lengths.tolist() == [4, 1]


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=9), max_size=6), st.integers(1, 10))
def test_truncation_keeps_the_asked_end(rows, longest):
    sequences = Sequences.of(rows)
    for policy, expected in {
        "head": lambda row: row[:longest],
        "tail": lambda row: row[-longest:],
        "head+tail": lambda row: (
            row if len(row) <= longest else row[: (longest + 1) // 2] + row[len(row) - longest // 2 :]
        ),
    }.items():
        cut = sequences.truncated(longest, policy)
        assert [cut[i].tolist() for i in range(len(rows))] == [expected(row) for row in rows]


def test_feature_vectors_are_truncated_alike():
    features = Sequences.of([np.arange(12, dtype=np.float32).reshape(6, 2)])
    assert features.truncated(3, "head+tail")[0].tolist() == [[0, 1], [2, 3], [10, 11]]


def test_nothing_to_learn_from_is_refused():
    with pytest.raises(CorpusError, match="min_frequency"):
        Tokenizer.train(["each word once"], TokenizerConfig())


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "t.json").write_text("{")
    with pytest.raises(BundleError, match="tokenizer"):
        Tokenizer.load(tmp_path / "t.json", TokenizerConfig())


def test_what_was_encoded_once_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "WORTH_KEEPING", 10)
    monkeypatch.setattr(module, "MAPPED", 200)
    texts = TEXTS * 50
    expected = trained(max_length=9).encode(texts)
    first = trained(max_length=9).encode_kept(texts)
    again = trained(max_length=9)
    monkeypatch.setattr(again, "encode", lambda _: pytest.fail("it was encoded again"))
    second = again.encode_kept(texts)
    for found in (first, second):
        assert np.array_equal(found.sequences.values, expected.sequences.values)
        assert np.array_equal(found.sequences.offsets, expected.sequences.offsets)
        for name in ("unknown_rate", "truncated", "lengths"):
            assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert second.sequences.values.dtype == np.uint16
    assert isinstance(second.whole.values, np.memmap)
    # Other lengths are read from the same ids; another vocabulary or text is another key.
    shorter = trained(max_length=8)
    monkeypatch.setattr(shorter, "encode", lambda _: pytest.fail("it was encoded again"))
    assert len(shorter.encode_kept(texts).sequences[0]) == 8
    assert len(trained(max_length=9, min_frequency=4).encode_kept(texts).sequences) == len(texts)
    assert len(trained(max_length=9).encode_kept(texts[1:]).sequences) == len(texts) - 1
    assert len(list((tmp_path / "sentiment").glob("ids-*"))) == 3


@pytest.mark.parametrize("damage", ["cut", "missing", "other"])
def test_a_damaged_cache_is_no_trouble(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "WORTH_KEEPING", 10)
    expected = trained().encode_kept(TEXTS)
    [place] = (tmp_path / "sentiment").glob("ids-*")
    file = place / "values.npy"
    if damage == "missing":
        file.unlink()
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:100])
    else:
        np.save(file, np.zeros(3, np.uint16))
    assert np.array_equal(trained().encode_kept(TEXTS).sequences.values, expected.sequences.values)


def test_only_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "WORTH_KEEPING", 10)
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    for count in range(2, 6):
        trained().encode_kept(TEXTS * count)
    assert len(list((tmp_path / "sentiment").iterdir())) == 2
