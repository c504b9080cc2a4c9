"""The machine: device, precision, seed, threads, denormals, the user's cache, requests to stop."""

import ctypes
import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch

from sentiment.config import RuntimeConfig
from sentiment.errors import UsageError


def prepare(config: RuntimeConfig, seed: int) -> torch.device:
    """Set threads, seed and determinism for this process, and choose the device."""
    device = choose_device(config.device)
    if config.threads:
        torch.set_num_threads(config.threads)
    if config.deterministic:
        # cuBLAS reads this when it is first used (torch's page on reproducibility).
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(config.deterministic)
    # Gradients that vanish through hundreds of steps end as denormals, ten times slower on a CPU.
    torch.set_flush_denormal(True)
    keep_memory()
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries that draw from the global state
    torch.manual_seed(seed)
    return device


def keep_memory() -> None:
    """Let glibc keep the pages of freed tensors for the next ones, rather than return each at once.

    Getting them again, a fault and a zeroed page every 4 KiB, took a tenth of a training step.
    """
    largest_mapping, kept_on_top = -3, -1  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD of malloc.h
    with suppress(AttributeError, OSError, TypeError):  # another C library
        for option in (largest_mapping, kept_on_top):
            ctypes.CDLL(None).mallopt(option, 2**30)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name; "auto" is the fastest one present.

    Raises
    ------
    UsageError
        If the device is not there.
    """
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(device for device, there in present.items() if there)
    if not present.get(name.partition(":")[0]):  # the GPU of cuda:1 is torch's to find
        there = [device for device, is_there in present.items() if is_there]
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
