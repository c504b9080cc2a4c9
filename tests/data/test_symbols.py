"""Sequences of symbols: k-mers that cover them, the other strand, and a model that reads a site."""

import json

import numpy as np
import pytest
import torch
from conftest import TINY
from hypothesis import given
from hypothesis import strategies as st
from tiny_trainers import assert_equal, examples, trainer, weights

import sentiment
from sentiment.core import config_io
from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.sections.data import CorpusConfig, TokenizerConfig
from sentiment.data.corpus import load_corpus
from sentiment.data.corpus.audit import audit
from sentiment.data.normalize import BASES, kmers, reverse_complements, starts
from sentiment.data.sequences import Sequences
from sentiment.data.tokenizer import PAD, UNKNOWN_ID, Tokenizer
from sentiment.evaluation import baselines
from sentiment.inference.explain import explain
from sentiment.report.audit import findings
from sentiment.training.trainer import Data, Trainer

STRANDS = st.text(BASES + BASES.lower().replace("u", "") + " \n-", max_size=40).map(
    lambda text: text.replace("U", "T")
)


def trained(texts, **settings):
    return Tokenizer.train(texts, TokenizerConfig(**{"kind": "kmer", **settings}))


def tokens(tokenizer, text):
    return [tokenizer.vocabulary[number] for number in tokenizer.encode([text]).sequences[0]]


@given(st.text("ACGT", max_size=30), st.integers(1, 9), st.integers(1, 9))
def test_kmers_cover_all_symbols(text, size, stride):
    stride = min(size, stride)
    pieces = kmers(text, size, stride)
    begins = starts(len(text), size, stride)
    assert [text[begin : begin + size] for begin in begins] == pieces
    assert {place for begin in begins for place in range(begin, min(begin + size, len(text)))} == set(
        range(len(text))
    )
    assert all(len(piece) == size for piece in pieces[:-1])
    if stride == 1:
        assert len(pieces) == (max(1, len(text) - size + 1) if text else 0)


def test_case_and_line_breaks_are_no_symbols_and_rare_kmers_are_unknown():
    tokenizer = trained(["ACGTACGT", "ACGTNACGT", "ACGTNACGT", "AC", "AC"])
    assert tokens(tokenizer, "acg\nT") == tokens(tokenizer, "AC GT\n") == ["acg", "cgt"]
    assert tokens(tokenizer, "ACGTN") == ["acg", "cgt", "gtn"]  # frequent enough to be known
    assert tokenizer.encode(["ACGTR"]).unknown_rate[0] == pytest.approx(1 / 3)
    assert tokens(tokenizer, "AC") == ["ac"]  # shorter than a k-mer
    for nothing in ("", " \n", "X"):
        assert tokenizer.encode([nothing]).sequences[0].tolist() == [UNKNOWN_ID]


@pytest.mark.parametrize("text", [PAD, f"{PAD}{PAD}", "<pad", f"AC{PAD}"])
def test_a_kmer_that_spells_padding_is_unknown(text):
    tokenizer = trained(["<pad> ACGTACGT"] * 3, kmer=5)
    assert 0 not in tokenizer.encode([text]).sequences[0]
    assert 0 not in tokenizer.tokens(text).ids


@given(st.text("ACGTNacgt \né漢\u0301", max_size=30), st.integers(1, 6), st.integers(1, 6))
def test_each_kmer_has_a_part_of_the_text_for_itself(text, size, stride):
    tokenizer = trained(["ACGTNACGT", "AACCGGTT"], kmer=size, kmer_stride=min(size, stride), min_frequency=1)
    found = tokenizer.tokens(text)
    assert found.ids.tolist() == tokenizer.encode([text]).sequences[0].tolist()
    assert len(found.spans) == len(found.ids)
    flat = [place for span in found.spans for place in span]
    assert flat == sorted(flat)
    if text.strip():
        read = "".join(text[begin:end] for begin, end in found.spans)
        assert "".join(read.split()) == "".join(text.split())


@given(STRANDS)
def test_the_other_strand_of_the_other_strand_is_the_first(text):
    [other] = reverse_complements([text])
    assert len(other) == len(text)
    assert reverse_complements([other]) == [text]


@pytest.mark.parametrize(
    ("text", "expected"), [("AACG", "CGTT"), ("aUG", "CAu"), ("RYN-", "-NRY"), ("SWKMBDHV", "BDHVKMWS")]
)
def test_known_strands(text, expected):
    assert reverse_complements([text]) == [expected]


def test_what_is_no_strand_is_refused():
    with pytest.raises(CorpusError, match=r"has 'E': 'ACGE'.*reverse_complement=false"):
        reverse_complements(["ACGT", "ACGE"])
    for wrong in ({"training.reverse_complement": True}, {"tokenizer.kmer": 3, "tokenizer.kmer_stride": 4}):
        with pytest.raises(UsageError, match="kmer"):
            config_io.load(overrides=wrong)


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(0, 9), min_size=1), st.lists(st.integers(0, 9), min_size=1), st.booleans()
        ),
        min_size=1,
        max_size=8,
    )
)
def test_mixed_sequences_are_those_of_the_chosen_side(rows):
    one, other, mask = zip(*rows, strict=True)
    mixed = Sequences.of(one).mixed(Sequences.of(other), np.array(mask))
    assert [mixed[row].tolist() for row in range(len(rows))] == [b if m else a for a, b, m in rows]


def twin_trainer():
    whole = trainer()
    twins = Sequences.of([whole.data.train.sequences[row][::-1].copy() for row in range(120)])
    torch.manual_seed(0)
    classifier = type(whole.model)(2, whole.model.config, vocab_size=20, embedding_size=6)
    data = Data(examples(), examples(60, 1), twins=twins)
    return Trainer(classifier, data, whole.config, torch.device("cpu"))


@pytest.mark.parametrize("stop", [3, 11])
def test_resumed_with_other_strands_equals_uninterrupted(stop, tmp_path):
    whole = twin_trainer()
    list(whole.run())
    first = twin_trainer()
    for _, _ in zip(range(stop), first.run(), strict=False):
        pass
    first.save(tmp_path / "c.safetensors")
    second = twin_trainer()
    torch.manual_seed(999)  # whatever happened in between
    second.restore(tmp_path / "c.safetensors")
    list(second.run())
    assert_equal(weights(whole), weights(second))
    without = trainer()
    list(without.run())
    assert whole.history[0]["loss"] != without.history[0]["loss"]


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """DNA with TATAAT in its middle, or the same elsewhere."""
    folder, generator = tmp_path_factory.mktemp("dna"), np.random.default_rng(0)
    with (folder / "dna.jsonl").open("w") as file:
        for row in range(360):
            symbols = list(generator.choice(list("ACGT"), 40))
            begin = 17 if row % 2 else int(generator.choice([2, 5, 27, 31]))
            symbols[begin : begin + 6] = "TATAAT"
            file.write(
                json.dumps({"sequence": "".join(symbols), "label": "site" if row % 2 else "none"}) + "\n"
            )
    return folder / "dna.jsonl"


@pytest.mark.slow
def test_a_site_is_found_and_explained(sites, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = TINY | {
        "tokenizer.kind": "kmer", "model.pooling": ["middle"], "training.epochs": 12, "model.hidden_size": 16,
        "embedding.size": 16, "training.learning_rate": 0.01, "training.batch_size": 16,
        "report.baselines": True, "model.word_dropout": 0.0,
    }  # fmt: skip
    predictor = sentiment.train(str(sites), out=tmp_path / "model", settings=settings)
    report = predictor.report
    assert report["test"]["accuracy"] > 0.9
    # Where a k-mer stands is what tells; a linear model of k-mers cannot know.
    assert report["baselines"]["tfidf_lr"]["accuracy"] < report["test"]["accuracy"] - 0.1
    assert not report["audit"]["splits"]["train"]["oddities"]
    text = "ACGGTCATGCCGATCGGTATAATGCCATGCATGGCATCGC"
    assert text[17:23] == "TATAAT"
    [found] = explain(predictor, [text.lower()])
    assert found.label == "site"
    assert "".join(word.text for word in found.words) == text.lower()
    assert all(17 <= word.start < 23 for word in found.strongest(2, favour=True))
    [again] = explain(sentiment.load(predictor.bundle.folder), [f"{text[:20]}\n{text[20:]}"])
    assert again.difference == pytest.approx(found.difference, abs=1e-5)


@pytest.mark.slow
def test_the_other_strand_is_read_too(sites, tmp_path):
    settings = TINY | {"tokenizer.kind": "kmer", "training.epochs": 1}
    losses = set()
    for both in (False, True):
        settings["training.reverse_complement"] = both
        report = sentiment.train(str(sites), out=tmp_path / str(both), settings=settings).report
        assert report["settings"].get("training.reverse_complement", False) == both
        losses.add(report["history"][0]["loss"])
    assert len(losses) == 2


def test_texts_without_words_are_counted_in_characters(sites):
    found = audit(CorpusConfig(name=str(sites)))
    assert found["splits"]["train"]["words"]["median"] == 40
    assert found["splits"]["train"]["unit"] == "character"
    assert not [line for line in findings(found) if "single" in line]
    features = baselines.tfidf_lr(load_corpus(str(sites))).about["features"]
    assert 4 + 16 + 64 + 256 < features < 6000  # k-mers of up to 6 symbols
