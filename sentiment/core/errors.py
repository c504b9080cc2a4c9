"""The exceptions that this package raises on purpose, each with its exit code.

A message says what is wrong, where, and the command or change that mends it.
"""

import difflib
import errno
from collections.abc import Iterable

MOST = 20  # names in a message


class SentimentError(Exception):
    """Base of all errors below; `exit_code` is what the command line ends with."""

    exit_code = 1


class UsageError(SentimentError):
    """A wrong option, setting or argument."""

    exit_code = 2


class CorpusError(SentimentError):
    """A corpus that does not exist, cannot be read or cannot be trained on."""

    exit_code = 3


class BundleError(SentimentError):
    """A model folder that is incomplete, changed or of another version."""

    exit_code = 4


class HubError(SentimentError):
    """The Hub (or a download of vectors) cannot be reached, or refuses."""

    exit_code = 5


class ResourceError(SentimentError):
    """The machine is at its end: memory, disk or permissions."""

    exit_code = 6


class Diverged(SentimentError):
    """A training whose loss is no longer a number."""


class Interrupted(SentimentError):
    """Stopped by the user; the message says how to go on."""

    exit_code = 130


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return " (did you mean 'x'?)" for the nearest known name, or an empty string.

    `cutoff` is how alike they have to be, from 0 to 1.
    """
    folded = {item.casefold(): item for item in known}
    nearest = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=cutoff)
    return f" (did you mean {folded[nearest[0]]!r}?)" if nearest else ""


def listed(names: Iterable[str]) -> str:
    """Return names for a message; of many only the first."""
    names = list(names)
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def from_machine(error: BaseException) -> ResourceError | None:
    """Return what an error of the machine means (memory, disk, permission), or None for another one."""
    message = str(error).lower()
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in message or "can't allocate memory" in message)
    ):
        return ResourceError(
            "out of memory; lower training.batch_tokens (for instance --set training.batch_tokens=4096), "
            "tokenizer.max_length or model.hidden_size"
        )
    code = getattr(error, "errno", None)
    path = getattr(error, "filename", None) or "the output"
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or "no space left" in message:
        return ResourceError(f"{path}: no space left on the disk; free some, or choose another place")
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ResourceError(f"{path}: no permission; choose another place")
    if code in (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG):
        return ResourceError(f"{path}: {getattr(error, 'strerror', error)}")
    return None
