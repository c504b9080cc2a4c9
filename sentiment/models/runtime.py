"""The machine: device, precision, seed, threads, denormals, the user's cache, requests to stop."""

import ctypes
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from sentiment.core.errors import UsageError
from sentiment.core.sections.run import RuntimeConfig

WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
PAUSE_SOFT = 1  # omp_pause_soft of omp.h


@contextmanager
def prepared(config: RuntimeConfig, seed: int) -> Iterator[torch.device]:
    """Set threads, seeds and determinism, and give the device; in the end all is as the caller had it.

    What cannot be undone: a C library that keeps memory (`keep_memory`), and with ``deterministic`` the
    workspace of cuBLAS, if it was first used meanwhile.

    Raises
    ------
    UsageError
        If the device is not there.
    """
    device = choose_device(config.device)
    with ExitStack() as before:
        if config.threads:
            before.callback(torch.set_num_threads, torch.get_num_threads())
            torch.set_num_threads(config.threads)
        if config.deterministic and WORKSPACE not in os.environ:
            # cuBLAS reads this when it is first used (torch's page on reproducibility).
            before.callback(os.environ.pop, WORKSPACE, None)
            os.environ[WORKSPACE] = ":4096:8"
        before.callback(
            torch.use_deterministic_algorithms,
            torch.are_deterministic_algorithms_enabled(),
            warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
        )
        torch.use_deterministic_algorithms(config.deterministic)
        # Gradients that vanish through hundreds of steps end as denormals, ten times slower on a CPU.
        before.callback(flush_denormals, flushes_denormals())
        flush_denormals(True)
        keep_memory()
        before.callback(random.setstate, random.getstate())
        before.callback(np.random.set_state, np.random.get_state())  # noqa: NPY002 - as below
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries that draw from the global state
        for generator in _generators(device):
            before.callback(generator.set_state, generator.get_state())
        seed_torch(seed, device)
        yield device


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed what draws on this device and the CPU; other devices are the caller's own."""
    for generator in _generators(device):
        generator.manual_seed(seed)


def _generators(device: torch.device) -> list[torch.Generator]:
    """Return torch's default generators of the CPU, and of the device or its kind."""
    generators = [torch.default_generator]
    if device.type == "cuda":
        torch.cuda.init()  # type: ignore[no-untyped-call]  # until then it has none
        generators += torch.cuda.default_generators
    elif device.type == "mps":
        generators.append(torch.mps._get_default_mps_generator())
    return generators


def flushes_denormals() -> bool:
    """Say whether this thread takes denormals for 0, which torch can set and not tell."""
    return not torch.full((1,), 1e-40, dtype=torch.float32, device="cpu").mul(1).any()


def flush_denormals(wanted: bool) -> None:
    """Take denormals for 0 or not, in this thread and its workers, of torch and others.

    A worker of OpenMP does as its thread did when the worker began (in GNU's, for good). So those that wait
    for work are ended, and will begin anew.
    """
    torch.set_flush_denormal(wanted)
    for library in ThreadpoolController().select(user_api="openmp").lib_controllers:
        with suppress(AttributeError):  # it came with OpenMP 5
            library.dynlib.omp_pause_resource_all(PAUSE_SOFT)


def keep_memory() -> None:
    """Let glibc keep the pages of freed tensors for the next ones, rather than return each at once.

    Getting them again, a fault and a zeroed page every 4 KiB, took a tenth of a training step. It is for
    the life of the process, as nobody can ask glibc what it did before: up to 1 GiB on top of the heap that
    nobody uses stays with the process until `malloc_trim`.
    """
    largest_mapping, kept_on_top = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
    with suppress(AttributeError, OSError, TypeError):  # another C library
        for option in (largest_mapping, kept_on_top):
            ctypes.CDLL(None).mallopt(option, 2**30)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name, "auto" the fastest one present; UsageError if it is not there."""
    known = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    there = [device for device, is_there in known.items() if is_there]
    if name == "auto":
        name = there[0]
    if name.partition(":")[0] not in there:  # the GPU of cuda:1 is torch's to find
        raise UsageError(
            f"--device {name}: torch {torch.__version__} finds no such device on this machine; "
            f"use --device {there[0]}, or install a build of torch for it"
        )
    return torch.device(name)


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the dtype of the recurrence and matrix products on `device`."""
    if name == "auto":
        has_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float32
    if name != "fp32" and device.type != "cuda":
        raise UsageError(
            f"runtime.precision = {name!r} needs a CUDA device, not {device.type}; "
            "use --set runtime.precision=auto"
        )
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[name]


def describe(device: torch.device) -> str:
    """Name the device as a person would."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type}, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Collect Ctrl-C and SIGTERM, so that an update is never cut in two; a second Ctrl-C kills."""
    requested = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield requested  # only the main thread may take signals
        return

    def request(number: int, _: Any) -> None:
        requested.set()
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, request)
    try:
        yield requested
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
