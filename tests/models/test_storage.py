"""Rounded weights: what is scored is what is stored, and both engines read the same."""

import json

import numpy as np
import pytest
import safetensors.numpy
import torch
from conftest import TINY, in_numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import sentiment
from sentiment.data.corpus import load_corpus
from sentiment.evaluation import predictions
from sentiment.inference import bundle, predictor
from sentiment.inference.predictor import Predictor
from sentiment.models import storage
from sentiment.runs import evaluate

BITS = {"fp32": 32, "fp16": 16, "int8": 8}
TEXTS = ["Loved it.", "not good at all, a waste", "x", "漢字 😀", "good " * 500]
# Training switches numbers this small off in a process; hypothesis would complain.
FLOATS = st.floats(-(2.0**30), 2.0**30, width=32, allow_subnormal=False)


@pytest.fixture(scope="module", params=["fp16", "int8"])
def small(request, tmp_path_factory):
    """A model trained for a moment, with rounded weights."""
    settings = TINY | {"model.storage": request.param}
    return sentiment.train("sample", out=tmp_path_factory.mktemp("runs") / request.param, settings=settings)


@given(matrix=arrays(np.float32, (3, 5), elements=FLOATS), vector=arrays(np.float32, 4, elements=FLOATS))
def test_rounding_is_as_fine_as_it_says(tmp_path_factory, matrix, vector):
    path = tmp_path_factory.getbasetemp() / "w.safetensors"
    for kind in BITS:
        storage.save(path, {"m": matrix, "v": vector}, kind)
        found = storage.load(path)
        assert {name: value.dtype for name, value in found.items()} == {"m": np.float32, "v": np.float32}
        for name, value in (("m", matrix), ("v", vector)):
            if kind == "fp32":
                assert np.array_equal(found[name], value)
            elif kind == "int8" and name == "m":
                step = np.abs(value).max(1, keepdims=True) / 127
                assert (np.abs(found[name] - value) <= 0.501 * step + 1e-37).all()
            else:
                near = value.clip(-65504, 65504)
                np.testing.assert_allclose(found[name], near, rtol=2**-11, atol=2**-25)


def test_what_is_rounded_stays_as_it_is_when_stored_again(tmp_path):
    weights = {"m": np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)}
    for kind in BITS:
        storage.save(tmp_path / "one", weights, kind)
        once = storage.load(tmp_path / "one")
        storage.save(tmp_path / "two", once, kind)
        assert np.allclose(storage.load(tmp_path / "two")["m"], once["m"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("scale", [None, np.ones((2, 1), np.float32)])
def test_eight_bits_need_their_scale(tmp_path, scale):
    stored = {"m": np.ones((3, 4), np.int8)}
    safetensors.numpy.save_file(stored | ({} if scale is None else {"m.scale": scale}), tmp_path / "w")
    with pytest.raises(ValueError, match="m has 8 bits"):
        storage.load(tmp_path / "w")


def test_the_file_is_smaller_and_the_weights_are_float32(small, tiny):
    assert all(value.dtype == np.float32 for value in small.bundle.weights.values())
    assert all(value.dtype == torch.float32 for value in small.bundle.model.parameters())
    sizes = [(one.bundle.folder / "model.safetensors").stat().st_size for one in (small, tiny)]
    most = {"fp16": 0.5, "int8": 0.4}  # int8: rows of 8 numbers, and a scale of 4 bytes for each
    assert sizes[0] < most[small.bundle.settings["model"]["storage"]] * sizes[1] + 4000


def test_both_engines_say_the_same_of_rounded_weights(small, monkeypatch):
    found = []
    for limit in (1e9, 0.0):
        monkeypatch.setattr(predictor, "WARM", limit)
        used = Predictor(bundle.load(small.bundle.folder))
        found.append(used.probabilities(TEXTS)[0])
        assert ("model" in vars(used.bundle)) == (limit == 0)
    np.testing.assert_allclose(*found, atol=1e-6, rtol=0)


def test_the_report_is_of_the_stored_weights(small):
    folder = small.bundle.folder
    loaded = sentiment.load(folder)
    test = load_corpus("sample").test
    probabilities, _ = loaded.probabilities(test.texts)
    saved = predictions.read(folder / bundle.PREDICTIONS)
    np.testing.assert_allclose(probabilities, saved.probabilities, atol=1e-6, rtol=0)
    right = (probabilities.argmax(1) == test.labels).mean()
    assert right == json.loads((folder / "report.json").read_text())["test"]["accuracy"]
    again = evaluate.evaluate(folder, device="cpu")
    for key in ("test", "intervals", "verdict", "decision"):
        assert again[key] == loaded.report[key]


def test_rounding_changes_the_weights_and_little_else(small, tiny):
    ours, theirs = small.bundle.weights, tiny.bundle.weights
    assert any((ours[name] != value).any() for name, value in theirs.items())
    untempered = [
        in_numpy(one.bundle.numpy_model, one.bundle.tokenizer.encode(TEXTS).sequences)
        for one in (small, tiny)
    ]
    np.testing.assert_allclose(*untempered, atol=0.02)
