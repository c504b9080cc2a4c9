"""The NumPy engine says what torch says, and does without it."""

import hashlib
import itertools
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import torch

import sentiment
from sentiment import bundle, predictor
from sentiment.config import ModelConfig
from sentiment.engine import NumpyClassifier, shapes
from sentiment.errors import BundleError, UsageError
from sentiment.model import SequenceClassifier, infer
from sentiment.predictor import Predictor
from sentiment.rows import Row
from sentiment.sequences import Sequences

SIZES = {"vocab_size": 50, "embedding_size": 7, "input_size": None}
POOLINGS = (["last"], ["max"], ["mean"], ["attention"], ["middle"], ["mean", "last", "attention", "max"])


def pair(labels: int = 3, **settings) -> tuple[SequenceClassifier, NumpyClassifier]:
    """Return one model in both forms, with random weights that do not stay near 0."""
    torch.manual_seed(0)
    model = SequenceClassifier(labels, ModelConfig(**settings), **SIZES)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-2 * model.config.hidden_size**-0.5, 2 * model.config.hidden_size**-0.5)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in weights.items()} == shapes(model.config, labels, **SIZES)
    return model, NumpyClassifier(model.config, weights)


def random_sequences(*lengths: int) -> Sequences:
    generator = np.random.default_rng(len(lengths))
    return Sequences.of([generator.integers(0, 50, length).astype(np.int32) for length in lengths])


@pytest.mark.parametrize(
    ("kind", "bidirectional", "layers", "pooling"),
    list(itertools.product(("lstm", "gru", "rnn"), (False, True), (1, 2, 3), POOLINGS)),
    ids=str,
)
def test_numpy_says_what_torch_says(kind, bidirectional, layers, pooling):
    model, numpy_model = pair(
        kind=kind, bidirectional=bidirectional, layers=layers, pooling=pooling, hidden_size=9
    )
    sequences = random_sequences(1, 30, 2, 1, 90, 7)
    expected = infer(model, sequences, torch.device("cpu"))
    assert expected.std(0).min() > 1e-4  # else there is nothing to compare
    np.testing.assert_allclose(numpy_model.probabilities(sequences), expected, atol=2e-6, rtol=0)


def test_long_texts_agree_too():
    model, numpy_model = pair(labels=2, hidden_size=64, pooling=["last", "mean"])
    sequences = random_sequences(2000, 400)
    expected = infer(model, sequences, torch.device("cpu"))
    np.testing.assert_allclose(numpy_model.probabilities(sequences), expected, atol=1e-5, rtol=0)


def test_a_text_is_the_same_to_the_bit_in_any_company():
    _, numpy_model = pair()
    sequences = random_sequences(3, 50, 1, 20)
    together = numpy_model.probabilities(sequences)
    for row in range(4):
        assert np.array_equal(
            together[row : row + 1], numpy_model.probabilities(Sequences.of([sequences[row]]))
        )
    assert numpy_model.probabilities(Sequences.of([])).shape == (0, 3)


TEXTS = ["Loved it.", "not good at all, a waste", "x", "漢字 😀", "good " * 1000, "<pad>"]


def test_both_engines_predict_the_same(tiny, monkeypatch):
    found = {}
    for engine, limit in (("numpy", 1e9), ("torch", 0.0)):
        monkeypatch.setattr(predictor, "WARM", limit)
        used = Predictor(bundle.load(tiny.bundle.folder))
        found[engine] = used.predict(TEXTS)
        assert ("model" in vars(used.bundle)) == (engine == "torch")
    for ours, theirs in zip(found["numpy"], found["torch"], strict=True):
        assert (ours.label, ours.unknown_rate, ours.truncated) == (
            theirs.label,
            theirs.unknown_rate,
            theirs.truncated,
        )
        assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)


def test_a_job_chooses_its_engine_by_its_size(tiny, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")  # as before its import
    for text, count, more, device, expected in (
        ("a short text", 1, False, "auto", True),
        ("a short text", 1, False, "cpu", True),
        ("a short text", 1, False, "cuda", False),
        ("a short text", 2000, False, "auto", True),
        ("a short text", 2000, True, "auto", False),
        ("long " * 400, 1000, False, "auto", False),
    ):
        used = Predictor(tiny.bundle)
        used.device = device
        assert used._is_short(used.bundle.tokenizer.encode([text] * count), more) == expected
    assert "torch" not in sys.modules


def test_a_stream_changes_its_engine_and_keeps_its_numbers(tiny, monkeypatch):
    monkeypatch.setattr(predictor, "CHUNK", 4)
    monkeypatch.setattr(predictor, "WARM", tiny.bundle.numpy_model.seconds(10))
    chosen, is_short = [], Predictor._is_short

    def note(self, encoded, more):
        chosen.append(is_short(self, encoded, more))
        return chosen[-1]

    monkeypatch.setattr(Predictor, "_is_short", note)
    rows = [Row(str(number), {"text": "good " * (number % 5 + 1)}) for number in range(10)]
    probabilities = [result.prediction.probability for result in tiny.stream(rows)]
    assert probabilities[:5] == pytest.approx(probabilities[5:], abs=1e-6)
    assert chosen == [False, False, True]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", "tpu"])
def test_a_device_that_is_not_there_is_refused_at_once(tiny, device):
    with pytest.raises(UsageError, match=f"--device {device}.*--device cpu"):
        sentiment.load(tiny.bundle.folder, device=device)


@pytest.mark.parametrize("arguments", [["predict", "a text"], ["predict", "--input", "-"]])
def test_a_short_prediction_imports_nothing_heavy(tiny, arguments):
    code = (
        "import sys, sentiment.cli\n"
        f"sys.argv = ['sentiment', *{arguments!r}, '--model', {str(tiny.bundle.folder)!r}]\n"
        "try:\n    sentiment.cli.main()\nfinally:\n"
        "    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input="a text\n", capture_output=True, text=True, check=True
    )
    assert done.stdout
    heavy = {"torch", "datasets", "sklearn", "scipy", "rich", "pyarrow"}
    assert not set(done.stderr.split()) & (heavy if "--input" in arguments else heavy | {"pydantic"})


@pytest.mark.parametrize("change", ["shape", "dtype", "missing", "more"])
def test_weights_that_are_not_of_this_model_are_refused(tiny, tmp_path, change):
    copy = shutil.copytree(tiny.bundle.folder, tmp_path / "copy")
    path, name = copy / "model.safetensors", "linear.weight"
    weights = safetensors.numpy.load_file(path)
    match change:
        case "shape":
            weights[name] = np.ascontiguousarray(weights[name].T)
        case "dtype":
            weights[name] = weights[name].astype(np.float64)
        case "missing":
            del weights[name]
        case "more":
            weights["linear.weight.more"] = weights[name]
    safetensors.numpy.save_file(weights, path)
    manifest = json.loads((copy / bundle.MANIFEST).read_text())
    manifest["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copy / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"not a readable bundle.*{name}"):
        bundle.load(copy)


def test_building_the_model_leaves_the_random_state_alone(tiny):
    before = torch.get_rng_state()
    assert not bundle.load(tiny.bundle.folder).model.training
    assert torch.equal(torch.get_rng_state(), before)
