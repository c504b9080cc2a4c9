"""What several tests share: the command line, a tiny trained model, the mirror of the Hub."""

import os

# Before torch: threads that wait for tiny products must not spin, or busy machines crawl.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if "PYTEST_XDIST_WORKER" in os.environ:  # each core has a process of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import sentiment
from sentiment import cli
from sentiment.inference.predictor import Predictor

SLOW = [hypothesis.HealthCheck.too_slow]  # a busy machine is no failure
REPEATABLE = "CI" in os.environ  # elsewhere other examples are drawn each time
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=SLOW, derandomize=REPEATABLE
)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).parents[1]
MIRROR = ROOT.parent / "shared" / "hub" / "mirror.py"
TINY = {
    "training.epochs": 2,
    "model.hidden_size": 8,
    "embedding.size": 8,
    "training.adversarial": 0.0,
    "ngrams.longest": 0,
    "report.baselines": False,
    "report.bootstrap": 100,
}
TINY_OPTIONS = [f"--set={name}={str(value).lower()}" for name, value in TINY.items()]


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run `sentiment …` in this process."""

    def run(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["sentiment", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Outcome(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture(params=["native", "torch"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the compiled recurrence and with the one in torch operations."""
    from sentiment.models import recurrent
    from sentiment.models.recurrent import native

    if request.param == "torch":
        monkeypatch.setattr(native, "load", lambda: None)
    elif recurrent.kernel() != "native":
        pytest.skip("no C compiler here")
    return str(request.param)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model trained for a moment on the sample."""
    return sentiment.train("sample", out=tmp_path_factory.mktemp("runs") / "tiny", settings=TINY)


@pytest.fixture(scope="session")
def mirror() -> Iterator[str]:
    """URL of a local server that speaks the Hub's protocol."""
    with serve_mirror() as url:
        yield url


class serve_mirror:
    """Run the mirror for a while, flaky or slow if asked to."""

    def __init__(self, *options: str) -> None:
        self.options = options

    def __enter__(self) -> str:
        if not MIRROR.exists():
            pytest.skip("the mirror of the Hub is not here")
        self.process = subprocess.Popen(
            [sys.executable, str(MIRROR), "--port", "0", *self.options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()[0]

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def hub_environment(url: str, cache: Path, **further: str) -> dict[str, str]:
    """Environment in which the Hub is at `url`, with a cache of its own."""
    return os.environ | {
        "HF_ENDPOINT": url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(cache),
        "HF_HUB_OFFLINE": "0",
        **further,
    }


def run_process(
    *arguments: str | Path,
    env: dict[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
) -> Outcome:
    """Run `sentiment …` in a process of its own: for what is read at import, and for signals."""
    done = subprocess.run(
        [sys.executable, "-m", "sentiment.cli", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        input=stdin,
        env=env,
        cwd=cwd,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Outcome(done.returncode, done.stdout, done.stderr)


def in_torch(model: Any, sequences: Any, device: Any = "cpu") -> Any:
    """Return the probabilities (B, C) of a model in torch."""
    import torch

    from sentiment.metrics.task import task
    from sentiment.models.network import infer

    return task(model.task).probabilities(infer(model, sequences, torch.device(device)))


def in_numpy(model: Any, sequences: Any) -> Any:
    """Return the probabilities (B, C) of a model in NumPy."""
    return model.task.probabilities(model.infer(sequences))
