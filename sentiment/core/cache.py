"""The cache: files that can be made again, named by content, in ``$XDG_CACHE_HOME`` or ``~/.cache``.

What is kept is believed, and some of it is run. So it is only kept where nobody but the user can write:
the folder belongs to them and has no write permission for group or others, the one above it is theirs or
root's and not open to all (unless sticky, as ``/tmp`` is), and what is read is theirs, too. Where there is
no such folder nothing is kept and nothing is read. On Windows, whose profiles are private, all is believed.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OTHERS = stat.S_IWGRP | stat.S_IWOTH  # they may write


def folder() -> Path:
    """Return the folder of the cache, made if it is missing; OSError says why there can be none."""
    try:
        above = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not above.is_absolute():  # as its specification says; it would be a folder that somebody else made
            above = Path.home() / ".cache"
    except RuntimeError as error:  # as in some containers
        raise FileNotFoundError("this user has no home folder") from error
    above.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = above / "sentiment"
    kept.mkdir(mode=0o700, exist_ok=True)
    _check_owner(kept, kept.lstat())  # of the link, if it is one
    kept = kept.resolve()
    _check(kept)
    outer = kept.parent.stat()
    if _is_open(outer):
        raise PermissionError(f"others can replace {kept}: {kept.parent} is open to them")
    return kept


def place(name: str) -> Path:
    """Return the path of a name in the cache; OSError if there is no cache, or others may write to it."""
    kept = folder() / name
    if os.path.lexists(kept):
        _check(kept)
    return kept


@contextmanager
def made(kept: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder to, which then gets its name in one step, as `place` gives it.

    Another process may be doing the same; whoever comes second finds the same content there.
    """
    with tempfile.TemporaryDirectory(dir=kept.parent) as temporary:
        written = Path(temporary) / kept.name
        yield written
        written.chmod(written.stat().st_mode & ~OTHERS)  # whatever the umask is
        if not (written.is_dir() and kept.exists()):  # a folder does not replace another
            os.replace(written, kept)


def prune(pattern: str, most: int) -> None:
    """Leave only the newest of the files or folders that match."""
    newest = sorted(folder().glob(pattern), key=lambda kept: -kept.stat().st_mtime_ns)
    for kept in newest[most:]:
        shutil.rmtree(kept, ignore_errors=True) if kept.is_dir() else kept.unlink(missing_ok=True)


def _check(kept: Path) -> None:
    status = kept.lstat()
    _check_owner(kept, status)
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise PermissionError(f"{kept} is a link, or something else that is no file")
    if hasattr(os, "geteuid") and status.st_mode & OTHERS:
        raise PermissionError(f"others may write to {kept}; chmod go-w {kept} once you trust what is there")


def _check_owner(kept: Path, status: os.stat_result) -> None:
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise PermissionError(f"{kept} belongs to another user")


def _is_open(above: os.stat_result) -> bool:
    """Say whether others can rename what is in a folder; a group is trusted, as it may be of one user."""
    if not hasattr(os, "geteuid"):
        return False
    all_may = above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX
    return bool(all_may) or above.st_uid not in (0, os.geteuid())
