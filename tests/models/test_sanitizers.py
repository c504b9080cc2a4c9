"""The kernel under AddressSanitizer and UndefinedBehaviorSanitizer, in processes of its own.

pytest -m slow tests/models/test_sanitizers.py
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytestmark = pytest.mark.slow
FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g -O1"
TESTS = ["test_steps.py", "test_recurrent.py"]


def runtime(name: str) -> str | None:
    """The path of a library of gcc, which it tells in full if it is there."""
    if shutil.which("gcc") is None:
        return None
    found = subprocess.run(["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True)
    return found.stdout.strip() if Path(found.stdout.strip()).is_absolute() else None


RUNTIMES = [runtime(f"lib{name}.so") for name in ("asan", "ubsan")]
needs_sanitizers = pytest.mark.skipif(None in RUNTIMES, reason="no gcc, or it came without its sanitizers")


def sanitized(folder: Path, package: Path, tests: list[str] = TESTS) -> subprocess.CompletedProcess[str]:
    """Run the property tests on a package whose kernel is compiled so that it stops at its first error."""
    compiler = folder / "cc"
    compiler.write_text(f'#!/bin/sh\nexec gcc "$@" {FLAGS}\n')
    compiler.chmod(0o755)
    environment = os.environ | {
        "CC": str(compiler),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PYTHONPATH": str(package),
        "LD_PRELOAD": " ".join(map(str, RUNTIMES)),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves much to the end of the process
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OMP_NUM_THREADS": "2",
    }
    environment.pop("SENTIMENT_KERNEL", None)
    # Not in the repository, whose own package would come first; and what a dying process says is shown.
    options = ["-n", "0", "-q", "-x", "-s", "-p", "no:cacheprovider", "-k", "agree or native"]
    where = ["-c", str(ROOT / "pyproject.toml"), *(str(Path(__file__).with_name(name)) for name in tests)]
    command = [sys.executable, "-m", "pytest", *options, *where]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment, cwd=folder)


@needs_sanitizers
def test_the_kernel_is_clean(tmp_path):
    done = sanitized(tmp_path, ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, "without the kernel nothing was tried"
    assert "Sanitizer" not in done.stderr
    assert "runtime error" not in done.stderr


@needs_sanitizers
@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        # At the end of all rows, the row after the last; of pooling, where nothing looks at first use.
        ("for (idx j = 0; j < H; j++) dh[j]", "for (idx j = 0; j <= H; j++) dh[j]", "heap-buffer-overflow"),
        ("for (idx i = 0; i < p->B; i++)\n", "for (idx i = 0; i <= p->B; i++)\n", "heap-buffer-overflow"),
        ("((uint32_t)shifted.bits << 23)", "(shifted.bits << 23)", "runtime error: left shift"),
    ],
)
def test_a_broken_kernel_is_caught(right, wrong, found, tmp_path):
    package = tmp_path / "package" / "sentiment"
    shutil.copytree(ROOT / "sentiment" / "models" / "recurrent", package / "models" / "recurrent")
    for folder, copied in ((ROOT / "sentiment", "models"), (ROOT / "sentiment" / "models", "recurrent")):
        for part in folder.iterdir():
            if part.name != copied:
                (package / folder.relative_to(ROOT / "sentiment") / part.name).symlink_to(part)
    kernel = package / "models" / "recurrent" / "kernel.c"
    source = kernel.read_text("utf-8")
    assert source.count(right) == 1
    kernel.write_text(source.replace(right, wrong), "utf-8")
    done = sanitized(tmp_path, package.parent, TESTS[:1])
    assert done.returncode != 0
    assert found in done.stdout + done.stderr
