"""The compiled recurrence: built once, loaded only if it is the user's own and whole, and missed aloud."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
import torch
from conftest import ROOT, TINY_OPTIONS

from sentiment.core import cache
from sentiment.models import recurrent
from sentiment.models.recurrent import library, native
from sentiment.models.recurrent.steps import CELLS
from sentiment.report.sections import facts
from sentiment.runs.prepare import tell_of_kernel

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or not hasattr(os, "geteuid"), reason="no C compiler, or not POSIX"
)
find = native.find.__wrapped__  # as in a new process


class Compiler:
    """A script in the place of ``cc``: quicker, and it notes its commands."""

    def __init__(self, path: Path) -> None:
        self.path, self.log = path, path.with_suffix(".log")
        self.says('exec cc "$@" -O0')

    def says(self, what: str) -> None:
        self.path.write_text(f'#!/bin/sh\necho "$@" >> {self.log}\n{what}\n')
        self.path.chmod(0o755)

    @property
    def builds(self) -> int:
        return sum("-shared" in line for line in self.log.read_text().splitlines())


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder that takes the place of ``/tmp``."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(library.tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def compiler(tmp_path, temporary, monkeypatch):
    monkeypatch.delenv("SENTIMENT_KERNEL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    return Compiler(tmp_path / "cc")


def kept():
    return sorted(cache.folder().glob("recurrent-*"))


def no_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("Could not determine home directory.")))


def no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)


def no_private_folder(monkeypatch, tmp_path):
    cache.folder().chmod(0o777)


def read_only(monkeypatch, tmp_path):
    """As a file system that is mounted so; modes do not hold root back."""

    @contextmanager
    def made(_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        yield

    monkeypatch.setattr(cache, "made", made)


def test_it_is_built_once_and_kept(compiler, temporary):
    for _ in range(2):
        found = find()
        assert found.steps is not None
        assert found.reason is None
    assert compiler.builds == 1
    assert len(kept()) == 1
    assert not list(temporary.iterdir())


def test_it_is_found_again_whatever_the_umask_was(compiler):
    before = os.umask(0)
    try:
        assert find().steps is not None
    finally:
        os.umask(before)
    assert find().reason is None
    assert compiler.builds == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SENTIMENT_KERNEL", "off", "SENTIMENT_KERNEL=off; unset it"),
        ("CC", "/nonexistent/cc", "no C compiler '/nonexistent/cc' .*install gcc or clang, or set CC"),
        ("CC", "false", "'false' fails .*exit status 1.*set CC"),
        ("CC", "true", "'true' makes no library; set CC"),
    ],
)
def test_without_it_the_reason_is_said_with_the_way_out(name, value, says, compiler, monkeypatch):
    monkeypatch.setenv(name, value)
    found = find()
    assert found.steps is None
    assert found.reason.startswith("the compiled recurrence is off, and training about three times slower: ")
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(found.reason)
    assert not kept()


@pytest.mark.parametrize("missing", [no_home, no_folder, no_private_folder, read_only])
def test_without_a_cache_it_is_built_for_one_process_and_leaves_nothing(
    missing, compiler, temporary, monkeypatch, tmp_path
):
    missing(monkeypatch, tmp_path)
    found = find()
    assert found.steps is not None
    assert "compiled again in each process" in found.reason
    assert "set XDG_CACHE_HOME" in found.reason
    assert not list(temporary.iterdir())
    assert not list(tmp_path.rglob("recurrent*"))


def test_what_the_layers_say_is_what_was_found(compiler, monkeypatch):
    monkeypatch.setattr(native, "find", find)
    assert (recurrent.kernel(), recurrent.kernel_reason()) == ("native", None)
    monkeypatch.setenv("SENTIMENT_KERNEL", "off")
    assert recurrent.kernel() == "torch"
    assert "SENTIMENT_KERNEL=off" in recurrent.kernel_reason()


# ---- whose library, and is it whole -----------------------------------------------------------


@pytest.fixture
def planted(tmp_path):
    """A library that leaves a trace when it is loaded, and the trace."""
    source, trace = tmp_path / "planted.c", tmp_path / "trace"
    source.write_text(
        f'#include <stdio.h>\n__attribute__((constructor)) static void run(void) {{ fclose(fopen("{trace}", "w")); }}'
    )
    subprocess.run(["cc", "-shared", "-fPIC", source, "-o", tmp_path / "planted"], check=True)
    return tmp_path / "planted", trace


def plant(planted, folder):
    """Put it where the kernel is looked for, and was before its name had a digest."""
    _, key = library.recipe()
    digest = hashlib.sha256(planted.read_bytes()).hexdigest()
    places = [folder / f"recurrent-{key}.so", folder / f"recurrent-{key}-{digest}.so"]
    for place in places:
        shutil.copyfile(planted, place)
    return places


def test_a_planted_library_of_ones_own_would_run(compiler, planted):
    """So the trace tells."""
    file, trace = planted
    plant(file, cache.folder())
    find()
    assert trace.exists()


@pytest.mark.parametrize("where", ["temporary folder", "open folder", "loose file", "link"])
def test_a_library_that_others_can_write_is_never_loaded(
    where, compiler, planted, temporary, monkeypatch, tmp_path
):
    file, trace = planted
    if where == "temporary folder":
        no_home(monkeypatch, tmp_path)
        folder = temporary / "sentiment"
        folder.mkdir()
        plant(file, folder)
        folder.chmod(0o777)
    else:
        folder = cache.folder()
        for place in plant(file, folder):
            if where == "loose file":
                place.chmod(0o666)
            elif where == "link":
                place.unlink()
                place.symlink_to(file)
        if where == "open folder":
            folder.chmod(0o777)
    found = find()
    assert not trace.exists()
    assert found.steps is not None
    assert "compiled again in each process" in found.reason


def test_a_damaged_library_is_built_again_and_that_is_said_once(compiler):
    """In processes of their own, which a truncated library can kill."""
    code = "from sentiment import recurrent; print(recurrent.kernel())"

    def run():
        return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert run().stderr == ""
    (file,) = kept()
    content = file.read_bytes()
    cut = (content[:size] for size in (0, 100, 30_000))
    for damaged in (*cut, content[:20_000] + b"!" + content[20_001:]):
        file.write_bytes(damaged)
        again = run()
        assert again.stdout == "native\n"
        assert f"{file} was damaged; it is built again" in again.stderr
        assert (kept(), file.read_bytes()) == ([file], content)
    assert run().stderr == ""
    assert compiler.builds == 5


def test_a_damaged_library_goes_away_whatever_its_digest_was(compiler):
    """As a compiler may make others each time."""
    cache.folder().joinpath(f"recurrent-{library.recipe()[1]}-{'0' * 64}.so").write_bytes(b"cut")
    with pytest.warns(RuntimeWarning, match="was damaged"):
        assert find().reason is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find().reason is None
    assert compiler.builds == len(kept()) == 1


@pytest.mark.slow
def test_builders_at_once_agree_on_one_library(compiler):
    with ThreadPoolExecutor(3) as pool:
        found = [future.result() for future in [pool.submit(find) for _ in "123"]]
    assert all(one.steps is not None and one.reason is None for one in found)
    assert len(kept()) == 1


def test_wrong_library_is_refused(compiler, monkeypatch):
    right = find()
    assert right.steps is not None
    lstm = CELLS["LSTM"]
    wrong = lstm._replace(forward=lambda *a: [2 * s for s in lstm.forward(*a)])
    monkeypatch.setitem(CELLS, "LSTM", wrong)
    found = find()
    assert found.steps is None
    assert "computes nonsense" in found.reason


# ---- no time is spent for nothing -------------------------------------------------------------


@pytest.mark.parametrize("home", [True, False])
def test_without_room_nothing_is_compiled(home, compiler, monkeypatch, tmp_path):
    import resource

    if not home:
        no_home(monkeypatch, tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (library.ROOM // 2, before[1]))  # as on a full disk
    try:
        found = find()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert found.steps is None
    assert "no room to compile in" in found.reason
    assert "set TMPDIR" in found.reason
    assert compiler.builds == 0


@pytest.mark.skipif(not hasattr(os, "ST_NOEXEC"), reason="this system does not tell")
@pytest.mark.parametrize("noexec", [True, False])
def test_without_a_place_to_execute_nothing_is_compiled(noexec, compiler, monkeypatch, tmp_path):
    no_home(monkeypatch, tmp_path)
    flags = os.ST_NOSUID | (os.ST_NOEXEC if noexec else 0)
    monkeypatch.setattr(os, "statvfs", lambda _: Mock(f_flag=flags))
    kernel = find()
    assert (kernel.steps is None) == noexec
    assert ("noexec" in kernel.reason) == noexec
    assert "set XDG_CACHE_HOME" in kernel.reason
    assert compiler.builds == (0 if noexec else 1)


def test_a_cache_where_nothing_may_be_executed_still_keeps_it(compiler, temporary, monkeypatch):
    load = library.ctypes.CDLL

    def refuse(name, *rest):
        if name.startswith(str(cache.folder())):
            raise OSError(f"{name}: failed to map segment from shared object")
        return load(name, *rest)

    monkeypatch.setattr(library.ctypes, "CDLL", refuse)
    for _ in range(2):
        found = find()
        assert found.steps is not None
        assert found.reason is None
    assert compiler.builds == 1
    assert not list(temporary.iterdir())
    monkeypatch.setattr(library.ctypes, "CDLL", Mock(side_effect=OSError("not permitted")))
    assert "cannot be loaded: not permitted" in find().reason
    assert compiler.builds == 1


FAILS = 'case "$*" in *-shared*) echo "kernel.c:1: error: {}" >&2; exit 1;; esac; exec cc "$@"'


def test_a_failed_build_is_remembered_for_a_day(compiler):
    compiler.says(FAILS.format("boom"))
    first, second = find(), find()
    assert first.steps is second.steps is None
    assert "kernel.c:1: error: boom" in first.reason
    (mark,) = kept()
    assert first.reason in second.reason
    assert f"to try again before a day is over, remove {mark}" in second.reason
    assert compiler.builds == 1
    long_ago = time.time() - library.REMEMBERED - 60
    os.utime(mark, (long_ago, long_ago))
    find()
    assert compiler.builds == 2
    mark.unlink()
    compiler.says('exec cc "$@" -O0')
    assert find().steps is not None


def test_another_version_of_the_compiler_is_tried_at_once(compiler):
    compiler.says(FAILS.format("boom"))
    assert find().steps is None
    compiler.says('exec cc "$@" -O0 -D__VERSION__=2 -Wno-builtin-macro-redefined')
    assert find().steps is not None


def test_a_full_disk_is_not_held_against_the_compiler(compiler):
    compiler.says(FAILS.format("No space left on device"))
    assert find().steps is None
    assert not kept()


def test_loading_says_nothing(compiler, capfd, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find().steps is not None
        monkeypatch.setenv("SENTIMENT_KERNEL", "off")
        assert find().steps is None
    assert capfd.readouterr() == ("", "")


# ---- a run that is slower than it could be says so ----------------------------------------------

SENTENCE = "the compiled recurrence is off: no C compiler <cc>; install gcc"
RUNS = {
    "train": (),
    "pretrain": ("--set=pretraining.epochs=1",),
    "crossval": ("--folds", "2"),
    "tune": ("--trials", "2"),
}


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(native, "find", lambda: native.Kernel(None, SENTENCE))


@pytest.mark.parametrize(
    "run", [pytest.param(run, marks=[] if run == "train" else pytest.mark.slow) for run in RUNS]
)
def test_a_run_says_once_that_the_kernel_is_missing(run, missing, command, tmp_path):
    rows = [f"{word} film {number},{word}" for word in ("good", "bad") for number in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label", *rows]))
    options = [option for option in TINY_OPTIONS if run != "tune" or "report" in option]
    options += [*RUNS[run], "--set=runtime.device=cpu", "--out", tmp_path / "out"]
    done = command(run, tmp_path / "rows.csv", *options)
    assert done.code == 0, done.err
    assert done.err.count(SENTENCE) == 1
    assert SENTENCE not in done.out
    if run == "train":
        training = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["training"]
        assert (training["kernel"], training["kernel_reason"]) == ("torch", SENTENCE)


def test_a_run_with_it_says_nothing_and_the_report_has_it(monkeypatch, command, tmp_path):
    found = find()
    monkeypatch.setattr(native, "find", lambda: found._replace(reason=None))
    done = command("train", "sample", *TINY_OPTIONS, "--set=runtime.device=cpu", "--out", tmp_path / "out")
    assert "recurrence" not in done.err
    training = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["training"]
    assert training["kernel"] == "native"
    assert "kernel_reason" not in training
    assert ("kernel", "native") in facts({"training": training})


def test_the_facts_of_a_report_have_the_reason():
    training = {
        "epochs": 1, "best_epoch": 1, "seconds": 1.0, "tokens_per_second": 1.0, "device": "cpu", "seed": 0,
    }  # fmt: skip
    about = {"kernel": "torch", "kernel_reason": SENTENCE}
    assert ("kernel", f"torch; {SENTENCE}") in facts({"training": training | about})
    assert "kernel" not in dict(facts({"training": training}))  # of a GPU, or an older report


def test_a_run_on_a_gpu_does_not_miss_it(missing):
    listener = Mock()
    tell_of_kernel(listener, torch.device("cuda"))
    assert not listener.mock_calls
    tell_of_kernel(listener, torch.device("cpu"))
    listener.once.assert_called_once_with(SENTENCE)


def test_the_benchmark_says_why(missing, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    monkeypatch.delitem(sys.modules, "benchmark", raising=False)
    from benchmark import machine

    assert machine()["kernel"] == "torch"
    assert machine()["kernel_reason"] == SENTENCE
