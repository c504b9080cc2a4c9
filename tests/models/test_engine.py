"""The NumPy engine says what torch says, and does without it."""

import copy
import hashlib
import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from conftest import in_numpy, in_torch
from tiny_engines import pair

import sentiment
from sentiment.core.errors import BundleError, UsageError
from sentiment.data.rows import Row
from sentiment.data.sequences import Sequences
from sentiment.inference import bundle, predictor
from sentiment.inference.predictor import Predictor
from sentiment.models import network
from sentiment.models.numpy_engine import NumpyClassifier

POOLINGS = (["last"], ["max"], ["mean"], ["attention"], ["middle"], ["mean", "last", "attention", "max"])


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
    expected = in_torch(model, sequences, torch.device("cpu"))
    assert expected.std(0).min() > 1e-4  # else there is nothing to compare
    np.testing.assert_allclose(in_numpy(numpy_model, sequences), expected, atol=2e-6, rtol=0)


def test_long_texts_agree_too():
    model, numpy_model = pair(labels=2, hidden_size=64, pooling=["last", "mean"])
    sequences = random_sequences(2000, 400)
    expected = in_torch(model, sequences, torch.device("cpu"))
    np.testing.assert_allclose(in_numpy(numpy_model, sequences), expected, atol=1e-5, rtol=0)


def test_a_text_is_the_same_to_the_bit_in_any_company():
    _, numpy_model = pair()
    sequences = random_sequences(3, 50, 1, 20)
    together = in_numpy(numpy_model, sequences)
    for row in range(4):
        assert np.array_equal(together[row : row + 1], in_numpy(numpy_model, Sequences.of([sequences[row]])))
    assert in_numpy(numpy_model, Sequences.of([])).shape == (0, 3)


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


@pytest.fixture
def engines(monkeypatch):
    """The engines that compute, in turn."""
    seen = []

    def noted(engine, compute):
        return lambda *given: seen.append(engine) or compute(*given)

    monkeypatch.setattr(NumpyClassifier, "infer", noted("numpy", NumpyClassifier.infer))
    monkeypatch.setattr(network, "infer", noted("torch", network.infer))
    return seen


def test_a_job_chooses_its_engine_by_its_size(tiny, engines, monkeypatch):
    _ = tiny.bundle.model
    monkeypatch.delitem(sys.modules, "torch")  # as before its import
    for text, count, more, device, expected in (
        ("a short text", 1, False, "auto", "numpy"),
        ("a short text", 1, False, "cpu", "numpy"),
        ("a short text", 1, False, "cuda", "torch"),
        ("a short text", 2000, False, "auto", "numpy"),
        ("a short text", 2000, True, "auto", "torch"),
        ("long " * 400, 1000, False, "auto", "torch"),
    ):
        used = Predictor(tiny.bundle)
        used.device, used.torch_device = device, torch.device("cpu")
        used.probabilities([text] * count, more=more)
        assert engines.pop() == expected
    assert "torch" not in sys.modules


def test_a_stream_changes_its_engine_and_keeps_its_numbers(tiny, engines, monkeypatch):
    monkeypatch.setattr(predictor, "CHUNK", 4)
    monkeypatch.setattr(predictor, "WARM", tiny.bundle.numpy_model.seconds(10))
    rows = [Row(str(number), {"text": "good " * (number % 5 + 1)}) for number in range(10)]
    probabilities = [result.prediction.probability for result in tiny.stream(rows)]
    assert probabilities[:5] == pytest.approx(probabilities[5:], abs=1e-6)
    assert engines == ["torch", "torch", "numpy"]


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
    folder = shutil.copytree(tiny.bundle.folder, tmp_path / "copy")
    path, name = folder / "model.safetensors", "linear.weight"
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
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    manifest["files"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=f"not a readable bundle.*{name}"):
        bundle.load(folder)


def test_building_the_model_leaves_the_random_state_alone(tiny):
    before = torch.get_rng_state()
    assert not bundle.load(tiny.bundle.folder).model.training
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture(params=["texts", "texts with n-grams", "features"])
def fresh(request, tiny, tmp_path):
    """A predictor that has not been used, and what it can predict."""
    if request.param == "texts with n-grams":
        return sentiment.load("sms_spam"), TEXTS
    if request.param == "texts":
        return sentiment.load(tiny.bundle.folder), TEXTS
    rng = np.random.default_rng(0)
    lines = [
        {"features": (rng.normal(size=(3, 2)) + label).tolist(), "label": "ab"[label]}
        for label in [0, 1] * 30
    ]
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, lines)))
    settings = {"training.epochs": 1, "report.baselines": False, "report.bootstrap": 100}
    trained = sentiment.train(str(tmp_path / "f.jsonl"), out=tmp_path / "run", settings=settings)
    return sentiment.load(trained.bundle.folder), [line["features"] for line in lines[:5]]


COPIES = {
    "pickle": lambda one: pickle.loads(pickle.dumps(one)),
    "old pickle": lambda one: pickle.loads(pickle.dumps(one, 2)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def test_a_predictor_is_copied_before_and_after_its_use(fresh, monkeypatch):
    used, texts = fresh
    size = len(pickle.dumps(used))
    unused = {name: made(used) for name, made in COPIES.items()}
    expected = {}
    for engine, limit in (("numpy", 1e9), ("torch", 0.0)):
        monkeypatch.setattr(predictor, "WARM", limit)
        expected[engine] = used.predict(texts)
        assert {"numpy": "numpy_model", "torch": "model"}[engine] in vars(used.bundle)
        for name, made in COPIES.items():
            copied = made(used)
            assert copied.predict(texts) == unused[name].predict(texts) == expected[engine]
            assert (copied.labels, copied.report) == (used.labels, used.report)
    assert len(pickle.dumps(used)) < 1.1 * size + 1000  # the weights once, not for each engine
    assert used.predict(texts) == expected["torch"]


def test_a_pickle_of_what_torch_has_used_does_without_it(tiny, tmp_path):
    used = sentiment.load(tiny.bundle.folder)
    assert (used.torch_device.type, used.bundle.model.training) == ("cpu", False)
    (tmp_path / "pickle").write_bytes(pickle.dumps(used))
    code = (
        "import pickle, sys\n"
        f"predictor = pickle.load(open({str(tmp_path / 'pickle')!r}, 'rb'))\n"
        "print(predictor.predict(['good'])[0].probability)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(used.predict(["good"])[0].probability, abs=1e-6)


def test_other_processes_predict_the_same(tiny):
    """Joblib maps large arrays, which cannot be written to, into the memory of each."""
    import joblib

    used = sentiment.load(tiny.bundle.folder)
    texts = TEXTS * 30  # enough for torch
    expected = used.predict(texts)
    with joblib.parallel_config("loky", n_jobs=2, max_nbytes=100):
        both = joblib.Parallel()(joblib.delayed(_strictly)(used, texts) for _ in range(2))
    for found in both:
        for ours, theirs in zip(found, expected, strict=True):
            assert ours.label == theirs.label
            assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-6)


def _strictly(used, texts):
    """Predict by torch, with warnings as errors."""
    import warnings

    predictor.WARM = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = used.bundle.model
    return used.predict(texts)


PREDICTING = """
import os
import threading
import numpy as np
import threadpoolctl
from tiny_engines import pair
from sentiment.data.sequences import Sequences

def threads():
    return [one["num_threads"] for one in threadpoolctl.threadpool_info() if one["user_api"] == "blas"]

class Waiting(Sequences):
    def windows(self, rows):
        entered.release()
        assert go[threading.current_thread().name].wait(60)
        return super().windows(rows)

_, model = pair()
texts = Sequences.of([np.array([1, 2], np.int32)])
before = threads()
entered, go = threading.Semaphore(0), {name: threading.Event() for name in NAMES}
running = {}
for name in NAMES:
    waiting = Waiting(texts.values, texts.offsets)
    running[name] = threading.Thread(target=model.infer, args=(waiting,), name=name)
    running[name].start()
    assert entered.acquire(timeout=60)
"""
OVERLAPPING = """
assert set(threads()) == {1}, "one thread while they predict"
for name in ORDER:
    go[name].set()
    running[name].join()
assert threads() == before and max(before) == 2, (before, threads())
with threadpoolctl.threadpool_limits(1):
    assert set(threads()) == {1}, "the caller may still limit it"
model.infer(texts)
assert threads() == before
"""


FORKED = """
child = os.fork()
if not child:  # where that thread is not
    right = threads() == before and model.infer(texts) is not None and threads() == before
    os._exit(0 if right else 1)
go["a"].set()
running["a"].join()
assert os.waitpid(child, 0)[1] == 0
assert threads() == before and max(before) == 2
"""


def predicting(names, then, **variables):
    """Run code in a process with two threads of BLAS while threads of these names predict."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    code = "".join(f"{name} = {value!r}\n" for name, value in {"NAMES": names, **variables}.items())
    command = [sys.executable, "-c", code + PREDICTING + then]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[1], env=environment)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_threads_that_overlap_leave_blas_as_it_was(order):
    predicting("ab", OVERLAPPING, ORDER=order)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_process_that_is_forked_meanwhile_has_all_threads_of_blas():
    predicting("a", FORKED)
