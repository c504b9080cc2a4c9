"""What this package can make again, kept by its content: in ``$XDG_CACHE_HOME``, or ``~/.cache``."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def folder() -> Path:
    """Return where it is kept, which may not be there yet."""
    try:
        place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home, as in some containers
        place = Path(tempfile.gettempdir())
    return place / "sentiment"


@contextmanager
def made(place: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder to, which then gets its name in one step.

    Another process may be doing the same; whoever comes second finds the same content there.

    Raises
    ------
    OSError
        If the cache cannot be written to.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
        written = Path(temporary) / place.name
        yield written
        if not (written.is_dir() and place.exists()):  # a folder does not replace another
            os.replace(written, place)


def prune(pattern: str, most: int) -> None:
    """Leave only the newest of the files or folders that match."""
    found = sorted(folder().glob(pattern), key=lambda place: -place.stat().st_mtime_ns)
    for place in found[most:]:
        shutil.rmtree(place, ignore_errors=True) if place.is_dir() else place.unlink(missing_ok=True)
