"""A run: what it leaves behind when it fails or is stopped, and how it is found again."""

import pytest

from sentiment.core import config_io
from sentiment.core.errors import BundleError, CorpusError, Interrupted, UsageError
from sentiment.runs.crossval import CROSSVAL
from sentiment.runs.folder import Run, newest
from sentiment.runs.train import TRAIN
from sentiment.training.events import Listener

STATES = {TRAIN: {"revision": None, "fingerprint": "abc"}}
STATES[CROSSVAL] = {**STATES[TRAIN], "folds": 2, "seeds": 1}
PROGRESS = {TRAIN: "checkpoint.safetensors", CROSSVAL: "folds/1-1"}
JOBS = pytest.mark.parametrize("job", [TRAIN, CROSSVAL], ids=lambda job: job.verb)


class Heard(Listener):
    def __init__(self):
        self.said = []

    def stage(self, text):
        self.said.append(text)


def stopped(job, out, error, progress=False, listener=None):
    """Begin a run that ends by an error, perhaps after some work."""
    run = Run.new(job, config_io.load(), out, listener)
    with run.work("corpus", dict(STATES[job])):
        if progress:
            path = run.working / PROGRESS[job]
            path.parent.mkdir(exist_ok=True)
            path.touch()
        raise error
    return run


@JOBS
def test_a_failure_leaves_nothing_of_a_run_that_had_hardly_begun(job, tmp_path):
    with pytest.raises(ZeroDivisionError):
        stopped(job, tmp_path / "run", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == []


@JOBS
def test_a_failure_keeps_what_can_be_gone_on_with(job, tmp_path):
    heard = Heard()
    with pytest.raises(ZeroDivisionError):
        stopped(job, tmp_path / "run", ZeroDivisionError(), True, heard)
    run = Run.unfinished(job, tmp_path / "run", None, "cpu")
    assert run.state == STATES[job]
    assert (run.working / PROGRESS[job]).exists()
    assert any(run.again in text for text in heard.said) == (job is CROSSVAL)


@JOBS
def test_a_stop_says_how_to_go_on(job, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(Interrupted, match=f"go on with: sentiment {job.verb} --resume --out {out}$"):
        stopped(job, out, KeyboardInterrupt(), True)
    with pytest.raises(UsageError, match="--resume"):
        Run.new(job, config_io.load(), out, None)


def test_a_stop_before_any_work_keeps_a_series_only(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        stopped(TRAIN, tmp_path / "one", KeyboardInterrupt())
    with pytest.raises(Interrupted):
        stopped(CROSSVAL, tmp_path / "two", KeyboardInterrupt())
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


@JOBS
def test_the_newest_is_gone_on_with_if_the_corpus_is_the_same(job, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no unfinished .* under artifacts"):
        newest(job)
    with pytest.raises(Interrupted):
        stopped(job, None, KeyboardInterrupt(), True)
    run = Run.unfinished(job, None, None)
    assert run.out == newest(job)
    assert run.out.name.startswith("corpus-")
    with (
        pytest.raises(CorpusError, match="the corpus has changed since this run began"),
        run.work("", {"fingerprint": "abd"}),
    ):
        pass
    with run.work("", {"fingerprint": "abc"}):
        pass
    (run.working / job.state).write_text("{}")
    with pytest.raises(BundleError, match="lacks"):
        Run.unfinished(job, run.out, None)
