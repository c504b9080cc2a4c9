"""Sequences of feature vectors: how they are read, and made ready for a model as texts are by a tokenizer.

Shapes: T steps of a sequence, F numbers in a step as it is given, D in one as a model reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment.data.sequences import Encoded, Sequences

if TYPE_CHECKING:  # predicting reads no settings that are worth the import
    from sentiment.core.sections.data import FeaturesConfig

Array = NDArray[np.float32]
REACH = 2  # steps to either side that a delta looks at


def read_array(value: object, width: int | None = None) -> Array:
    """Return the array (T, F) that a value holds.

    Parameters
    ----------
    value
        A list of steps, each a list of numbers; or of numbers, for one feature; or such an array.
    width
        F, where it is known.

    Raises
    ------
    ValueError
        If it is none, or has no step, another width, or a number that is not finite.
    """
    if value is None:
        raise ValueError("the features are missing")
    if not isinstance(value, list | tuple | np.ndarray):
        raise ValueError(f"the features are of type {type(value).__name__}, not a list of steps")
    if not len(value):
        raise ValueError("the features have no step")
    try:
        given = np.asarray(value)
    except ValueError:  # lists of different lengths
        raise ValueError(_fault(value)) from None
    if given.dtype.kind not in "iuf":
        raise ValueError(_fault(value))
    if given.ndim == 1:
        given = given[:, None]
    if given.ndim != 2 or not given.shape[1]:
        raise ValueError("the features are not a list of steps, each a list of numbers")
    if width is not None and given.shape[1] != width:
        raise ValueError(f"{given.shape[1]} features a step, where {width} are expected")
    with np.errstate(over="ignore"):
        array: Array = np.ascontiguousarray(given, np.float32)
    if not np.isfinite(array).all():
        step, feature = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"step {step + 1}, feature {feature + 1} is {given[step, feature]}, not a finite number"
        )
    return array


def _fault(value: Iterable[Any]) -> str:
    """Say which step of a value keeps it from being an array."""
    width = None
    for number, step in enumerate(value, 1):
        numbers = step if isinstance(step, list | tuple | np.ndarray) else [step]
        for item in numbers:
            if isinstance(item, bool) or not isinstance(item, int | float | np.number):
                return f"step {number} holds {str(item)[:40]!r}, which is no number"
            if isinstance(item, int) and abs(item) >= 2**63:
                return f"step {number} holds a number that is too large"
        if width is not None and len(numbers) != width:
            return f"step {number} has {len(numbers)} features, and the steps before it {width}"
        width = len(numbers)
    return "the features are not a list of steps, each a list of numbers"


def is_matrix(value: object) -> bool:
    """Whether a value looks like steps of several numbers: what tells a column of features from others."""
    return isinstance(value, list) and bool(value) and is_series(value[0], int | float)


def is_series(value: object, kind: Any = float) -> bool:
    """Whether a value looks like steps of one number each."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], kind)


def content(item: Array) -> bytes:
    """Return the bytes of features; equal ones have equal bytes."""
    return repr(item.shape).encode() + item.tobytes()


def digest(item: Array) -> str:
    """Return a short name for the content of features."""
    return hashlib.blake2b(content(item), digest_size=16).hexdigest()


class Features:
    """What a tokenizer is to texts: deltas, normalisation learned from training steps, truncation.

    Parameters
    ----------
    mean, scale
        (D,) taken from each step, and what it is then divided by.
    """

    kind = "features"

    def __init__(self, mean: NDArray[np.float64], scale: NDArray[np.float64], config: FeaturesConfig) -> None:
        self.mean, self.scale, self.config = mean, scale, config

    @classmethod
    def fit(cls, sequences: Iterable[Array], config: FeaturesConfig) -> Features:
        """Learn mean and standard deviation of every feature over all steps; a constant one stays 0."""
        arrays = [with_deltas(array, config.deltas) for array in sequences]
        count = sum(map(len, arrays))
        mean = np.sum([array.sum(0, dtype=np.float64) for array in arrays], 0) / count
        squares = np.sum([np.square(array - mean).sum(0) for array in arrays], 0) / count
        scale = np.sqrt(squares)
        scale[scale <= 1e-6 * np.abs(mean)] = 1.0  # constant, but for rounding
        scale[scale == 0] = 1.0
        return cls(mean, scale, config)

    @classmethod
    def load(cls, path: Path, config: FeaturesConfig) -> Features:
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If it is something else.
        """
        stored = json.loads(path.read_text("utf-8"))
        mean, scale = (np.array(stored[name], np.float64) for name in ("mean", "scale"))
        fits = mean.ndim == 1 and mean.shape == scale.shape and len(mean) % (1 + config.deltas) == 0
        if not fits or not np.isfinite([mean, scale]).all() or (scale <= 0).any():
            raise ValueError(f"{path.name}: not the normalisation of features")
        return cls(mean, scale, config)

    def save(self, path: Path) -> None:
        """Write JSON."""
        stored = {"mean": self.mean.tolist(), "scale": self.scale.tolist()}
        path.write_text(json.dumps(stored, indent=1) + "\n", "utf-8")

    def __len__(self) -> int:
        """D."""
        return len(self.mean)

    @property
    def width(self) -> int:
        """F."""
        return len(self.mean) // (1 + self.config.deltas)

    def read(self, value: object) -> Array:
        """Return the features (T, F) that a value holds; ValueError if it holds none of this width."""
        return read_array(value, self.width)

    def encode(self, sequences: Sequence[Array]) -> Encoded:
        """Normalise arrays (T, F), and truncate them.

        Raises
        ------
        ValueError
            If one is of another width.
        """
        arrays = []
        for array in sequences:
            if array.shape[1] != self.width:
                raise ValueError(f"{array.shape[1]} features a step, where {self.width} are expected")
            normal = (with_deltas(array, self.config.deltas) - self.mean) / self.scale
            arrays.append(normal.astype(np.float32))
        whole = Sequences.of(arrays or [np.empty((0, len(self)), np.float32)])
        if not arrays:
            whole = Sequences(whole.values, np.zeros(1, np.int64))
        kept, lengths = self.limited(whole), whole.lengths
        return Encoded(kept, whole, np.zeros(len(whole)), lengths > kept.lengths, lengths)

    def limited(self, whole: Sequences) -> Sequences:
        """Truncate sequences as the settings say."""
        return whole.truncated(self.config.max_length, self.config.truncation)

    encode_kept = encode  # quicker than a cache


def with_deltas(array: Array, orders: int) -> Array:
    """Return features (T, F) with their deltas, and those of the deltas: (T, F · (1 + orders)).

    A delta is the slope of a line through the steps around (Furui 1986); the first and the last step go
    on beyond the ends.
    """
    parts = [array]
    for _ in range(orders):
        steps = np.pad(parts[-1], ((REACH, REACH), (0, 0)), "edge")
        length = len(array)
        slopes = sum(
            reach * (steps[REACH + reach :][:length] - steps[REACH - reach :][:length])
            for reach in range(1, REACH + 1)
        ) / (2 * sum(reach**2 for reach in range(1, REACH + 1)))
        parts.append(np.asarray(slopes, np.float32))
    return np.concatenate(parts, 1)
