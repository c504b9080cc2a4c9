"""A run in a folder: how it begins, is kept when it is interrupted, is found again and goes on."""

import copy
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, CorpusError, Interrupted, UsageError
from sentiment.core.files import ARTIFACTS
from sentiment.core.schema.corpus import CorpusIdentity
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import Corpus, RawCorpus
from sentiment.models import runtime
from sentiment.training.events import Listener


@dataclass(frozen=True)
class Job:
    """What the runs of a verb have in common.

    Attributes
    ----------
    kept
        Words before the command that goes on, if the run is a series of trainings: it works in its folder
        from the start, and every interruption keeps it. Else the folder has its name when it is whole.
    """

    verb: str
    state: str  # a file in an unfinished run: what a resumed one must find again
    keys: tuple[str, ...]  # in that file
    progress: str = "**/*.safetensors"  # pattern of the files that a run can go on from
    name: str = "unfinished run"  # in messages
    suffix: str = ""  # of the name of the folder, where none is given
    kept: str | None = None


class Run:
    """A job at work.

    Parameters
    ----------
    out
        The folder of its results; named after the corpus when it begins, if it is None.
    listener
        Told of progress; nobody by default.

    Attributes
    ----------
    working
        The folder in which it works: `out`, or another one until all is done.
    again
        How to go on with it, for messages.
    device
        Where it computes.
    timing
        Seconds of its parts.
    state
        What is stored of it, beside the settings, to go on.
    """

    out: Path
    working: Path
    again: str

    def __init__(
        self, job: Job, settings: Config, out: Path | None = None, listener: Listener | None = None
    ) -> None:
        self.job, self.settings, self.listener = job, settings, listener or Listener()
        self.device, self.begun = torch.device("cpu"), time.perf_counter()
        self.timing: dict[str, float] = {}
        self.state: dict[str, Any] = {}
        self.named = out is not None
        if out is not None:
            self._name(out)

    def _name(self, out: Path) -> None:
        self.out, self.working = out, out if self.job.kept else files.partial(out)
        self.again = f"go on with: sentiment {self.job.verb} --resume --out {out}"

    @classmethod
    def new(cls, job: Job, settings: Config, out: Path | None, listener: Listener | None) -> "Run":
        """Return a run that has not begun; UsageError if its folder is there already."""
        run = cls(job, settings, out, listener)
        if run.named:
            run._check_new()
        return run

    @classmethod
    def unfinished(
        cls, job: Job, out: Path | None, listener: Listener | None, device: str | None = None
    ) -> "Run":
        """Return a run to go on with, by default the newest, on another device if one is given."""
        out = out or newest(job)
        folder = out if job.kept else files.partial(out)
        mark = folder if job.verb == "train" else folder / job.state
        if not mark.exists():
            raise UsageError(f"{out}: no {job.name} to resume ({mark} is not there)")
        run = cls(job, stored_settings(folder, device), out, listener)
        run.state = files.read_json(folder / job.state, *job.keys)
        return run

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Choose the device and seed what draws on it, until the run ends."""
        with runtime.prepared(self.settings.runtime, self.settings.seed) as self.device:
            runtime.choose_precision(self.settings.runtime.precision, self.device)
            yield

    def announce(self) -> None:
        """Say whether the run goes on, or which corpus it loads."""
        self.listener.stage(
            f"going on with {self.out}" if self.state else f"loading {self.settings.corpus.name}"
        )

    @property
    def corpus_settings(self) -> CorpusConfig:
        """Settings that the corpus is read by; a run that goes on reads it at the commit that it had."""
        return pinned(self.settings, of_corpus(self.state).get("revision")).corpus

    @contextmanager
    def work(self, corpus: str, state: dict[str, Any]) -> Iterator[None]:
        """Work in the folder, made for a new run, and keep what comes of it.

        Parameters
        ----------
        corpus
            Its name, which the folder gets if nobody gave one.
        state
            What is stored of a new run; at least the fingerprint of the corpus.

        Raises
        ------
        CorpusError
            If the run goes on, and had another corpus before.
        """
        new = not self.state
        if new:
            if not self.named:
                stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
                self._name(ARTIFACTS / f"{corpus}{self.job.suffix}-{stamp}")
                self._check_new()
            self.working.mkdir(parents=True)
            self.state = state
        elif of_corpus(state)["fingerprint"] != of_corpus(self.state)["fingerprint"]:
            raise CorpusError(
                f"{self.settings.corpus.name}: the corpus has changed since this "
                f"{self.job.name if self.job.verb == 'tune' else 'run'} began; "
                f"start again (and remove {self.working})"
            )
        with self.keep():
            if new:
                self.write_settings()
                self.write_state()
            yield

    @contextmanager
    def keep(self) -> Iterator[None]:
        """Keep a run that is cut short, and say how to go on; leave nothing of one that had hardly begun."""
        series = self.job.kept is not None
        words = f"{self.job.kept}{self.again}" if series else self.again
        try:
            yield
        except BaseException as error:
            stopped = isinstance(error, (KeyboardInterrupt, Interrupted) if series else KeyboardInterrupt)
            if stopped and (series or self.can_go_on):
                raise Interrupted(f"stopped; {words}") from error
            if not self.can_go_on:
                shutil.rmtree(self.working, ignore_errors=True)
            elif series:
                self.listener.stage(words)
            raise

    @property
    def can_go_on(self) -> bool:
        """Whether there is something to go on from, such as a checkpoint or a trained teacher."""
        return any(self.working.glob(self.job.progress))

    def part(self, folder: Path, settings: Config) -> "Run":
        """Return a part of this run, which works in its own folder with its own settings."""
        part = copy.copy(self)
        part.working, part.settings = folder, settings
        return part

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Note how many seconds a part of the run takes."""
        begun = time.perf_counter()
        yield
        self.timing[name] = time.perf_counter() - begun

    def write_settings(self) -> None:
        """Store the settings."""
        files.write_text(self.working / "config.toml", config_io.dumps(self.settings))

    def write_state(self) -> None:
        """Store what a resumed run must find again."""
        files.write_json(self.working / self.job.state, self.state)

    def _check_new(self) -> None:
        go_on = f"go on with --resume --out {self.out}"
        if self.working != self.out and self.working.exists():
            raise UsageError(f"{self.out}: an unfinished run is there; {go_on}, or remove {self.working}")
        if self.out.exists():
            instead = go_on if self.job.kept else "remove it"
            raise UsageError(f"{self.out}: is there already; choose another --out, or {instead}")


def newest(job: Job) -> Path:
    """Return the newest unfinished run of a job."""
    ending = "" if job.kept else ".partial"
    folders = [path.parent for path in ARTIFACTS.glob(f"*{ending}/{job.state}")]
    if not folders:
        name = job.name if job.kept else "unfinished run"
        raise UsageError(f"no {name} under {ARTIFACTS}; name it with --out DIR")
    folder = max(folders, key=lambda folder: folder.stat().st_mtime_ns)
    return folder.with_name(folder.name.removesuffix(ending))


def stored_settings(folder: Path, device: str | None) -> Config:
    """Return the settings in the folder of an unfinished run, with another device if one is given."""
    try:
        settings = config_io.load(folder / "config.toml")
    except UsageError as error:
        raise BundleError(f"{error}; remove {folder} and start again") from error
    if device is not None:
        settings.runtime.device = device  # type: ignore[assignment]
    return settings


def pinned(settings: Config, revision: str | None) -> Config:
    """Return the settings, with the corpus fixed at a commit of the Hub."""
    settings = settings.model_copy(deep=True)
    if revision is not None:
        settings.corpus.name = f"{settings.corpus.name.partition('@')[0]}@{revision}"
    return settings


def of_corpus(state: dict[str, Any]) -> dict[str, Any]:
    """Return what is stored of the corpus."""
    return dict(state.get("corpus", state))


def identity(corpus: Corpus | RawCorpus, fingerprint: str) -> CorpusIdentity:
    """Return what a corpus is, for a file of results."""
    name, source, revision = corpus.name, corpus.source, corpus.revision
    return {"name": name, "source": source, "revision": revision, "fingerprint": fingerprint}


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
