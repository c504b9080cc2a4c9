"""The process of the caller stays as it was: random numbers, threads, determinism, denormals, environment."""

import logging
import os
import random
import threading

import huggingface_hub
import numpy as np
import optuna  # noqa: F401 - it sets its logger's level when it is imported
import pytest
import torch
from conftest import TINY

from sentiment.core import config_io
from sentiment.core.errors import CorpusError, HubError, Interrupted
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.sections.run import RuntimeConfig
from sentiment.data.corpus import Preset, hub
from sentiment.models import runtime
from sentiment.runs import crossval, evaluate, pretrain, train, tuning
from sentiment.training.events import Listener

CHANGES = {"corpus.name": "sample", "runtime.threads": 1, "runtime.deterministic": True}


def settings(**changes):
    return config_io.load(None, TINY | CHANGES | changes)


def state():
    """Return all that a run changes for itself."""
    kind, *numbers = np.random.get_state()  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy": [kind, *map(np.ndarray.tolist, map(np.asarray, numbers))],
        "torch": torch.get_rng_state().tolist(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warn only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "flushes": (runtime.flushes_denormals(), flushed()),
        "cuBLAS": os.environ.get(runtime.WORKSPACE),
        "optuna": logging.getLogger("optuna").level,
    }


@pytest.fixture(params=["deterministic", "flushing"])
def mine(request, monkeypatch):
    """The state of a process with settings that are not those of a run."""
    monkeypatch.delenv(runtime.WORKSPACE, raising=False)
    random.seed()
    np.random.seed()  # noqa: NPY002
    torch.seed()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(request.param == "deterministic", warn_only=True)
    runtime.flush_denormals(request.param == "flushing")
    yield state()
    runtime.flush_denormals(False)
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


class Watching(Listener):
    """Notes what a run finds, and may stop it."""

    def __init__(self, stop=None):
        self.stop, self.seen = stop, []

    def step(self, event, trainer):
        self.seen.append(state())

    def epoch(self, event, trainer):
        if self.stop is not None:
            raise self.stop


def test_a_run_has_its_own_settings_and_leaves_the_callers(mine, tmp_path):
    watching = Watching()
    train.train(settings(), tmp_path / "m", watching)
    assert state() == mine
    assert watching.seen
    for seen in watching.seen:
        assert (seen["threads"], seen["deterministic"], seen["warn only"]) == (1, True, False)
        assert seen["flushes"] == (True, 1)
        assert seen["cuBLAS"] == ":4096:8"


def test_the_callers_workspace_of_cublas_is_kept(mine, monkeypatch):
    monkeypatch.setenv(runtime.WORKSPACE, ":16:8")
    for deterministic in (True, False):
        with runtime.prepared(RuntimeConfig(deterministic=deterministic), 0):
            assert os.environ[runtime.WORKSPACE] == ":16:8"
            assert torch.are_deterministic_algorithms_enabled() == deterministic
        assert os.environ[runtime.WORKSPACE] == ":16:8"
    assert state()["deterministic"] == mine["deterministic"]


def test_a_run_that_is_stopped_and_one_that_goes_on_leave_it_too(mine, tmp_path):
    with pytest.raises(Interrupted):
        train.train(settings(), tmp_path / "m", Watching(KeyboardInterrupt()))
    assert state() == mine
    train.resume(tmp_path / "m")
    assert state() == mine
    with pytest.raises(CorpusError):
        train.train(settings(**{"corpus.name": str(tmp_path / "nothing.csv")}), tmp_path / "n")
    assert state() == mine


def test_so_does_all_else_that_trains_or_scores(mine, tiny, tmp_path):
    evaluate.evaluate(tiny.bundle.folder, device="cpu")
    assert state() == mine
    pretrain.pretrain(settings(), tmp_path / "p", minutes=0)
    assert state() == mine
    pretrain.resume(tmp_path / "p")
    assert state() == mine
    fixed = ("tokenizer", "embedding", "model", "training.epochs", "training.adversarial")  # stay small
    tuning.tune(settings(), fixed, trials=1, out=tmp_path / "t")
    assert state() == mine
    tuning.resume(tmp_path / "t", trials=1)
    assert state() == mine
    crossval.crossval(settings(), 2, 1, tmp_path / "c")
    assert state() == mine


def test_random_numbers_of_the_caller_do_not_reach_a_run(tmp_path):
    weights, draws = [], []
    for number in range(2):
        random.seed()
        np.random.seed()  # noqa: NPY002
        torch.seed()
        weights.append(train.train(settings(), tmp_path / str(number)).bundle.weights)
        draws.append((random.random(), np.random.rand(), torch.rand(1).item()))  # noqa: NPY002
    for name, value in weights[0].items():
        assert np.array_equal(value, weights[1][name]), name
    assert all(one != other for one, other in zip(*draws, strict=True))


DENORMALS = torch.full((2**20,), 1e-40)


def flushed():
    """Return the share of denormals that torch's threads take for 0."""
    return float((DENORMALS * 1 == 0).double().mean())


@pytest.mark.parametrize("asked", [1, 2, 3])
@pytest.mark.parametrize("used", [True, False], ids=["workers before", "no workers before"])
def test_denormals_are_flushed_by_all_threads_of_a_run_and_then_by_none(asked, used):
    def go():
        torch.set_num_threads(2)
        if used:
            found.append(flushed())
        with runtime.prepared(RuntimeConfig(threads=asked), 0):
            found.append(1 - flushed())
        found.append(flushed())
        torch.set_num_threads(3)
        found.append(flushed())

    found, threads = [], torch.get_num_threads()
    thread = threading.Thread(target=go)  # which has workers of its own
    thread.start()
    thread.join()
    torch.set_num_threads(threads)
    assert found == [0] * (3 + used)


@pytest.mark.parametrize("shown", [True, False])
def test_progress_bars_of_datasets_are_shown_to_people_and_as_the_caller_wants(shown, monkeypatch):
    import datasets

    monkeypatch.setattr(hub, "ATTEMPTS", 1)
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    seen = []

    def load(*_):
        seen.append(datasets.are_progress_bars_disabled())
        raise HubError("nothing")

    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **options: load())
    (datasets.enable_progress_bars if shown else datasets.disable_progress_bars)()
    try:
        with pytest.raises(HubError):
            hub.read_hub(Preset("", "org/name"), CorpusConfig(), "org/name", None, None)
        assert (seen, datasets.are_progress_bars_disabled()) == ([True], not shown)
    finally:
        datasets.enable_progress_bars()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_the_random_state_of_a_gpu_is_kept_too():
    before = torch.cuda.get_rng_state()
    drawn = []
    for device in ("cpu", "cuda", "cuda"):
        with runtime.prepared(RuntimeConfig(device=device), 3):
            drawn.append(torch.rand(2, device="cuda").tolist())
            torch.cuda.set_rng_state(before) if device == "cpu" else None
        assert torch.equal(torch.cuda.get_rng_state(), before)
    assert drawn[0] != drawn[1] == drawn[2]
