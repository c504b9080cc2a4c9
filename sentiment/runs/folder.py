"""Runs that are not finished: what is kept of them, and how they are found again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, Interrupted, UsageError
from sentiment.core.files import ARTIFACTS


def stored_settings(folder: Path, device: str | None = None) -> Config:
    """Return the settings in the folder of an unfinished run, on another device if one is given."""
    try:
        settings = config_io.load(folder / "config.toml")
    except UsageError as error:
        raise BundleError(f"{error}; remove {folder} and start again") from error
    if device is not None:
        settings.runtime.device = device  # type: ignore[assignment]
    return settings


def pinned(settings: Config, revision: str | None) -> Config:
    """Return the settings with the corpus at a commit of the Hub."""
    settings = settings.model_copy(deep=True)
    if revision is not None:
        settings.corpus.name = f"{settings.corpus.name.partition('@')[0]}@{revision}"
    return settings


@contextmanager
def unfinished(out: Path, verb: str = "train") -> Iterator[None]:
    """Keep a run that is cut short if there is something to go on from, else leave nothing behind."""
    try:
        yield
    except BaseException as error:
        if not can_go_on(out):
            shutil.rmtree(files.partial(out), ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"stopped; go on with: sentiment {verb} --resume --out {out}") from error
        raise


def can_go_on(out: Path) -> bool:
    """Whether an unfinished run has come to a checkpoint, or to a trained teacher."""
    return any(files.partial(out).rglob("*.safetensors"))


def newest_unfinished(state: str) -> Path:
    """Return the newest unfinished run that has the file `state`."""
    found = [path.parent for path in ARTIFACTS.glob(f"*.partial/{state}")]
    if not found:
        raise UsageError(f"no unfinished run under {ARTIFACTS}; name it with --out DIR")
    newest = max(found, key=lambda folder: folder.stat().st_mtime_ns)
    return newest.with_name(newest.name.removesuffix(".partial"))


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
