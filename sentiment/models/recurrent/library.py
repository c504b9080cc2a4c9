"""``kernel.c`` → a loaded library: built on first use, kept in the user's cache.

The name in the cache holds a digest of what the library was built from and one of the library; both must be
right. Where nothing can be kept, it is built for this process alone.
"""

import ctypes
import errno
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sentiment.core import cache

FLAGS = (
    "-std=gnu11 -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp-simd "
    "-shared -fPIC -pthread"
)
ROOM = 8 << 20  # bytes that the compiler may need for its files
REMEMBERED = 24 * 60 * 60  # seconds in which a failed build is not tried again
OWN_CACHE = "set XDG_CACHE_HOME to a folder of your own that can be written to"
# A folder for a build that is the user's alone; Windows keeps what is loaded.
WORKSHOP = functools.partial(tempfile.TemporaryDirectory, ignore_cleanup_errors=True)


class LibraryError(Exception):
    """There is no library; the message says why, and the way out."""


def load() -> tuple[ctypes.CDLL, str | None]:
    """Load the library from the cache, or build it; a sentence says why it is not kept, if so.

    Raises
    ------
    LibraryError, OSError
        If it cannot be built or loaded.
    """
    command, key = recipe()
    trouble = None
    try:
        if (library := _kept(key)) is not None:
            return _open(library), None
    except OSError as error:
        trouble = error
    with WORKSHOP() as name:
        folder = Path(name)
        # Where the system does not tell whether it is mounted noexec, loading will.
        if trouble and hasattr(os, "ST_NOEXEC") and os.statvfs(folder).f_flag & os.ST_NOEXEC:
            raise LibraryError(
                f"{folder.parent} is mounted noexec, and there is no cache: {trouble}; {OWN_CACHE}"
            )
        built = _build(command, key, folder)
        places = [built]
        try:
            places.insert(0, _keep(built, key))
        except OSError as error:
            trouble = error
        reason = f"the recurrence is compiled again in each process, for seconds: {trouble}; {OWN_CACHE}"
        return _open(*places), reason if trouble is not None else None


def recipe() -> tuple[list[str], str]:
    """Return the command that compiles the C for this processor, without the output, and its key.

    The compiler is ``$CC``, by default ``cc``. The key tells apart all that the library depends on.

    Raises
    ------
    LibraryError
        If there is no compiler.
    """
    source = Path(__file__).with_name("kernel.c")
    arm = platform.machine() in ("aarch64", "arm64")
    compiler = [*_compiler(), "-mcpu=native" if arm else "-march=native"]
    # What the compiler predefines names its version and every instruction set it will use, so that
    # machines which share a cache never run each other's instructions.
    about = [*compiler, "-dM", "-E", "-x", "c", os.devnull]
    try:
        predefined = subprocess.run(about, capture_output=True, check=True).stdout
    except OSError as error:
        raise LibraryError(
            f"no C compiler {compiler[0]!r} ({error.strerror}); install gcc or clang, or set CC"
        ) from error
    except subprocess.CalledProcessError as error:
        raise LibraryError(
            f"the C compiler {compiler[0]!r} fails ({_complaint(error)}); set CC to gcc or clang"
        ) from error
    command = [*compiler, *FLAGS.split(), str(source), "-o"]
    parts = (source.read_bytes(), shlex.join(command).encode(), predefined)
    return command, hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _compiler() -> list[str]:
    try:
        return shlex.split(os.environ.get("CC", "")) or ["cc"]
    except ValueError as error:
        raise LibraryError(
            f"CC={os.environ['CC']} cannot be read ({error}); set it to gcc or clang"
        ) from error


def _kept(key: str) -> Path | None:
    """Return the library in the cache; a damaged one is removed, with a warning."""
    for entry in sorted(cache.folder().glob(f"recurrent-{key}-*.so")):
        kept = cache.place(entry.name)
        if kept.name == _name(kept, key):
            return kept
        warnings.warn(f"{kept} was damaged; it is built again", RuntimeWarning, stacklevel=2)
        kept.unlink(missing_ok=True)
    return None


def _name(library: Path, key: str) -> str:
    return f"recurrent-{key}-{hashlib.sha256(library.read_bytes()).hexdigest()}.so"


def _keep(built: Path, key: str) -> Path:
    kept = cache.place(_name(built, key))
    with cache.made(kept) as written:
        shutil.copyfile(built, written)
    return kept


def _build(command: Sequence[str], key: str, folder: Path) -> Path:
    """Compile; the cache remembers a failure, which can take as long as a success."""
    name = f"recurrent-{key}.failed"
    with suppress(OSError):
        failed = cache.place(name)
        if time.time() - failed.stat().st_mtime < REMEMBERED:
            raise LibraryError(
                f"{failed.read_text('utf-8', 'replace')}; to try again before a day is over, remove {failed}"
            )
    built, probe = folder / "recurrent.so", folder / "probe"
    try:
        probe.write_bytes(bytes(ROOM))
    except OSError as error:
        raise LibraryError(
            f"no room to compile in {folder.parent} ({error.strerror}); make some, or set TMPDIR"
        ) from error
    probe.unlink()
    environment = os.environ | {"LC_ALL": "C", "TMPDIR": str(folder)}
    try:
        subprocess.run([*command, str(built)], capture_output=True, check=True, env=environment)
    except subprocess.CalledProcessError as error:
        reason = f"the C compiler {command[0]!r} fails: {_complaint(error)}; set CC to gcc or clang"
        if os.strerror(errno.ENOSPC).encode() not in error.stderr:
            with suppress(OSError), cache.made(cache.place(name)) as written:
                written.write_text(reason, "utf-8")
        raise LibraryError(reason) from error
    if not built.exists():
        raise LibraryError(f"the C compiler {command[0]!r} makes no library; set CC to gcc or clang")
    return built


def _open(*places: Path) -> ctypes.CDLL:
    """Load a library from the first place that allows it, or from a new one."""
    for library in places:
        with suppress(OSError):
            return ctypes.CDLL(str(library))
    with WORKSHOP() as folder:  # the others may be mounted noexec
        library = Path(shutil.copy(places[-1], folder))
        try:
            return ctypes.CDLL(str(library))
        except OSError as error:
            raise LibraryError(f"the library cannot be loaded: {error}") from error


def _complaint(error: subprocess.CalledProcessError) -> str:
    """Return the line of a compiler's output that tells the error."""
    lines = str(error.stderr, "utf-8", "replace").strip().splitlines() or [f"exit status {error.returncode}"]
    return next((line for line in lines if "error" in line), lines[-1])
