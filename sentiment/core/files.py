"""Files that are written whole or not at all, and the folder of an unfinished run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sentiment.core.errors import BundleError, ResourceError, UsageError

ARTIFACTS = Path("artifacts")  # where runs land that name no place


def partial(folder: Path) -> Path:
    """Return the folder in which a run works until its bundle is whole."""
    if folder.name in ("", ".."):
        raise UsageError(f"--out {folder}: give the name of a new folder")
    return folder.with_name(folder.name + ".partial")


def check_place(path: Path, option: str) -> None:
    """Refuse a place that cannot be written to, before any work."""
    if path.is_dir() or not path.parent.is_dir():
        what = "is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise ResourceError(f"{option} {path}: {what}; choose another place")


@contextmanager
def replacing(path: Path, apart: bool = False) -> Iterator[Path]:
    """Give a place to write to, which replaces the file at `path` in one step; an error leaves that as it is.

    With `apart` the place has a name that nobody else uses, as in a folder of the user's. Else the next
    writer takes over what a killed one has left.
    """
    path = path.resolve()  # what a link leads to, not the link
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp" if apart else path.name + ".tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file atomically; a pipe or a device is written to, never replaced."""
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
        return
    with replacing(path) as temporary:
        temporary.write_text(text, "utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object of an unfinished run, which has these keys."""
    try:
        content = json.loads(path.read_text("utf-8"))
        missing = [key for key in keys if key not in content]
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; remove {path.parent}, start again") from error
    if missing:
        raise BundleError(f"{path}: it lacks {missing[0]!r}; remove {path.parent} and start again")
    return dict(content)


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)
