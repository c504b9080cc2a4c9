"""The weights of a model in a file, in 32, 16 or 8 bits; in memory they are float32."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from sentiment.core import files

SCALE = ".scale"  # ends the name of the row scales of an 8-bit matrix
LARGEST = np.finfo(np.float16).max
STEPS = 127  # of 8 bits on either side of 0


def save(path: Path, weights: Mapping[str, NDArray[np.float32]], storage: str) -> None:
    """Write weights by name, atomically.

    They are stored as they are ("fp32"), in half precision ("fp16"), or ("int8") as matrices of 8 bits with a
    scale for each row, the rest in half precision.
    """
    stored: dict[str, NDArray[np.generic]] = {}
    for name, value in weights.items():
        if storage == "int8" and value.ndim == 2:
            scale = np.maximum(np.abs(value).max(1, keepdims=True) / STEPS, np.finfo(np.float32).tiny)
            stored[name] = np.rint(value / scale).astype(np.int8)
            stored[name + SCALE] = scale
        else:
            stored[name] = value if storage == "fp32" else value.clip(-LARGEST, LARGEST).astype(np.float16)
    with files.replacing(path) as temporary:
        safetensors.numpy.save_file(stored, temporary)


def load(path: Path) -> dict[str, NDArray[np.float32]]:
    """Read weights by name; ValueError if a type is unknown, or the rows of 8 bits lack their scales."""
    stored = safetensors.numpy.load_file(path)
    for name in [name for name, value in stored.items() if value.dtype == np.int8]:
        scale = stored.pop(name + SCALE, None)
        if scale is None or scale.shape != (len(stored[name]), 1):
            raise ValueError(f"{path.name}: {name} has 8 bits, and no scale for each row")
        stored[name] = stored[name] * scale
    for name, value in stored.items():
        if value.dtype not in (np.float16, np.float32):
            raise ValueError(f"{path.name}: {name} is of {value.dtype}")
    return {name: value.astype(np.float32, copy=False) for name, value in stored.items()}
