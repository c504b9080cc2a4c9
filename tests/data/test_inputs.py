"""A corpus says what it is made of: its reader declares it, and nobody looks at the first text."""

import json

import numpy as np
import pytest
from conftest import TINY

import sentiment
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import load_corpus, read_corpus
from sentiment.data.corpus.memory import read_memory
from sentiment.data.inputs import FeatureInput, Input, TextInput, of_kind

VALUES = {
    "texts": (lambda n: f"{'good' if n % 2 else 'bad'} film {n}", TextInput()),
    "features": (lambda n: [[float(n % 2), n / 40, 1.0]] * (1 + n % 3), FeatureInput(3)),
}


@pytest.fixture(params=VALUES)
def case(request, tmp_path):
    """Give rows of texts, or of features, the same in a file, and what they are."""
    value, wanted = VALUES[request.param]
    rows = [{"text": value(n), "label": "ab"[n % 2]} for n in range(40)]
    path = tmp_path / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows, path, wanted


def test_every_reader_declares_what_a_corpus_is_of(case):
    rows, path, wanted = case
    config = CorpusConfig(name=str(path))
    assert read_corpus(config).input == load_corpus(config).input == wanted
    assert read_memory(rows, CorpusConfig()).input == wanted


def test_a_folder_declares_it_too(tmp_path):
    for label in "ab":
        (tmp_path / "sound" / label).mkdir(parents=True)
        (tmp_path / "words" / label).mkdir(parents=True)
        np.save(tmp_path / "sound" / label / "1.npy", np.ones((4, 2), np.float32))
        (tmp_path / "words" / label / "1.txt").write_text("some words")
    assert read_corpus(CorpusConfig(name=str(tmp_path / "sound"))).input == FeatureInput(2)
    assert read_corpus(CorpusConfig(name=str(tmp_path / "words"))).input == TextInput()


def test_a_bundle_carries_it(case, tmp_path):
    _, path, wanted = case
    model = sentiment.train(path, out=tmp_path / "m", settings=short(wanted))
    loaded = sentiment.load(tmp_path / "m")
    assert model.bundle.input == loaded.bundle.input == wanted
    assert loaded.bundle.manifest["kind"] == loaded.report["audit"]["kind"] == wanted.kind
    assert (tmp_path / "m" / wanted.encoder_file).is_file()


def short(reads: Input) -> dict:
    """Return settings of a short training that mean something for it."""
    return {name: value for name, value in TINY.items() if reads.uses(name)}


def test_no_two_inputs_are_taken_for_each_other():
    assert FeatureInput(2) != FeatureInput(3)
    assert TextInput() != FeatureInput()
    assert [str(one) for one in (TextInput(), FeatureInput(3))] == ["texts", "3 features a step"]
    assert of_kind("features", 2) == FeatureInput(2)
    assert of_kind("text") == of_kind(None) == TextInput()
    assert TextInput().uses("tokenizer.kind")
    assert not FeatureInput().uses("tokenizer.kind")
    assert not TextInput().uses("features.noise")
    assert TextInput().uses("model.layers")
    assert FeatureInput().uses("model.layers")
