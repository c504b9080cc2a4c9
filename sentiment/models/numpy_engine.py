"""The forward pass of `sentiment.models.network` in NumPy: for short jobs, which end before torch is there.

Texts are read one at a time, so none can change another. Shapes: T steps of a text, V types in the
vocabulary, E numbers in an embedding, H units of a direction, R directions, D = R·H, G gates, C classes.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from sentiment.data.sequences import Sequences
from sentiment.metrics.task import task as task_of

if TYPE_CHECKING:
    from sentiment.core.sections.model import ModelConfig

Array = NDArray[np.float32]
# Order of torch's gates here: the sigmoids come first, then the tanh.
GATES = {"lstm": [0, 1, 3, 2], "gru": [0, 1, 2], "rnn": [0]}  # i f o g, r z n, h
HALF = np.float32(0.5)
_limiting = threading.Lock()  # held by the one thread that limits BLAS, and restores it
_limits: list[Any] = []  # what restores it


def shapes(
    config: ModelConfig,
    labels: int,
    *,
    vocab_size: int | None = None,
    embedding_size: int | None = None,
    input_size: int | None = None,
    task: str = "multiclass",
) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight of a classifier, by the names of its ``state_dict``.

    The sizes and the task are those of `sentiment.models.network.Network`: of texts, or of features.
    """
    sizes: dict[str, tuple[int, ...]] = {}
    if input_size is None:
        if vocab_size is None or embedding_size is None:
            raise ValueError(f"vocab_size = {vocab_size} and embedding_size = {embedding_size}: both needed")
        sizes["embedding.weight"] = vocab_size, embedding_size
    hidden, suffixes = config.hidden_size, _suffixes(config)
    width, inputs = hidden * len(suffixes), input_size or embedding_size or 0
    rows = hidden * len(GATES[config.kind])
    for layer in range(config.layers):
        for suffix in suffixes:
            sizes |= {
                f"recurrence.weight_ih_l{layer}{suffix}": (rows, inputs),
                f"recurrence.weight_hh_l{layer}{suffix}": (rows, hidden),
                f"recurrence.bias_ih_l{layer}{suffix}": (rows,),
                f"recurrence.bias_hh_l{layer}{suffix}": (rows,),
            }
        inputs = width
    if "attention" in config.pooling:
        sizes["attention.project.weight"] = (width, width)
        sizes["attention.project.bias"] = (width,)
        sizes["attention.score.weight"] = (1, width)
    outputs = task_of(task).outputs(labels)
    return sizes | {"linear.weight": (outputs, width * len(config.pooling)), "linear.bias": (outputs,)}


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS use one thread for a while: the products here are so small that several wait for each other.

    On a busy machine they wait many times longer than one alone works. The number is one for the whole
    process: if each of several callers at once restored what it had found, some would restore a 1. So only
    the first limits it; the others, which come and go meanwhile, leave it alone.
    """
    if not _limiting.acquire(blocking=False):
        yield
        return
    try:
        with _blas().limit(limits=1) as limit:
            _limits.append(limit)
            yield
    finally:
        _limits.clear()
        _limiting.release()


def _after_fork() -> None:
    """In a child the thread that limits BLAS is gone, so that nobody else would restore it."""
    global _limiting  # noqa: PLW0603 - the lock of the parent may be held for ever
    _limiting = threading.Lock()
    while _limits:
        _limits.pop().restore_original_limits()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@cache  # it takes milliseconds
def _blas() -> Any:
    return ThreadpoolController().select(user_api="blas")


class NumpyClassifier:
    """A trained `sentiment.models.network.Network`, without torch and without dropout.

    Its weights are those of a ``state_dict``, as `shapes` says.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Array], task: str = "multiclass") -> None:
        self.config, self.weights, self.task = config, weights, task_of(task)
        self.layers = [_Layer(config, weights, layer) for layer in range(config.layers)]

    def seconds(self, tokens: int) -> float:
        """Say about how long so many tokens take: each step its calls, and a pass over the weights."""
        weights = sum(array.size for name, array in self.weights.items() if name != "embedding.weight")
        return tokens * (1e-5 * len(self.layers) + 7e-11 * weights)

    def infer(self, sequences: Sequences) -> NDArray[np.float64]:
        """Return the logits (B, C) of all sequences, in their order."""
        classes = len(self.task.linked(self.weights["linear.bias"]))
        logits = np.empty((len(sequences), classes))
        with one_blas_thread():
            for row in range(len(sequences)):
                starts, lengths, _ = sequences.windows(np.array([row]))
                logits[row] = self.logits(
                    sequences.values[start : start + length]
                    for start, length in zip(starts, lengths, strict=True)
                )
        return logits

    def logits(self, windows: Iterable[NDArray[Any]]) -> Array:
        """Return (C,) for the token ids (T,), or features (T, E), of one text, or of each window of it."""
        read = [self._read(steps) for steps in windows]
        pooled = np.concatenate([_merge(name, read) for name in self.config.pooling])
        outputs = np.asarray(self.weights["linear.weight"] @ pooled + self.weights["linear.bias"])
        return self.task.linked(outputs)

    def _read(self, steps: NDArray[Any]) -> dict[str, Array]:
        """Return what is pooled (D,) of the steps of one window, by each pooling."""
        data = self.weights["embedding.weight"][steps] if steps.ndim == 1 else steps  # (T, E)
        for layer in self.layers:
            output = layer(data)  # (T, R, H)
            data = output.reshape(len(steps), -1)  # (T, D)
        pooled: dict[str, Array] = {}
        for name in self.config.pooling:
            if name == "last":  # the second direction ends at the first step
                pooled["forward"], pooled["backward"] = output[-1, 0].copy(), output[0, 1:].flatten()
            elif name == "max":
                pooled[name] = np.asarray(data.max(0))
            elif name == "mean":
                pooled[name] = np.asarray(data.mean(0))
            elif name == "middle":
                pooled[name] = np.asarray(data[len(data) // 2])
            else:
                pooled[name], pooled["share"] = self._attend(data)
        return pooled

    def _attend(self, data: Array) -> tuple[Array, Array]:
        """Return the mean (D,) of steps (T, D) by attention, and the logarithm of what its scores sum to."""
        project, bias, score = (
            self.weights[f"attention.{part}"] for part in ("project.weight", "project.bias", "score.weight")
        )
        scores = np.tanh(data @ project.T + bias) @ score[0]  # (T,)
        highest = scores.max()
        exponentials = np.exp(scores - highest)
        total = exponentials.sum()
        return np.asarray(exponentials @ data / total), np.asarray(highest + np.log(total))


def _merge(name: str, read: list[dict[str, Array]]) -> Array:
    """Reduce what was pooled of the windows of a text to (D,), as `sentiment.models.network.merge` does."""
    if name == "last":
        return np.concatenate([read[-1]["forward"], read[0]["backward"]])
    values = np.stack([window[name] for window in read])
    if name == "max":
        return np.asarray(values.max(0))
    if name == "mean" or len(read) == 1:
        return np.asarray(values.mean(0))
    shares = np.array([window["share"] for window in read])
    weights = np.exp(shares - shares.max())
    return np.asarray(weights @ values / weights.sum())


class _Layer:
    """One recurrent layer; both directions take a step at once, the second from the end.

    A sigmoid is (1 + tanh(x / 2)) / 2: with its weights halved here, one tanh serves all gates.
    """

    def __init__(self, config: ModelConfig, weights: Mapping[str, Array], layer: int) -> None:
        order = GATES[config.kind]
        scale = np.array([*[HALF] * (len(order) - 1), 1], np.float32)[:, None, None, None]

        def gates(name: str) -> Array:  # R times (G · H, K) -> (G, R, K, H)
            both = np.stack([weights[f"recurrence.{name}_l{layer}{suffix}"] for suffix in _suffixes(config)])
            split = both.reshape(len(both), len(order), config.hidden_size, -1)[:, order]
            return np.ascontiguousarray(split.transpose(1, 0, 3, 2) * scale)

        w_ih, self.w_hh = gates("weight_ih"), gates("weight_hh")
        self.w_ih = np.ascontiguousarray(w_ih.transpose(2, 0, 1, 3)).reshape(w_ih.shape[2], -1)  # (E, G · D)
        self.bias, hidden_bias = gates("bias_ih"), gates("bias_hh")  # (G, R, 1, H)
        if config.kind == "gru":  # its reset gate weighs this one of the last gate
            self.reset_bias, hidden_bias[2] = hidden_bias[2].copy(), 0
        self.bias += hidden_bias
        self.steps = {"lstm": self._lstm, "gru": self._gru, "rnn": self._rnn}[config.kind]

    def __call__(self, data: Array) -> Array:
        """Return (T, R, H) for (T, E)."""
        projected = (data @ self.w_ih).reshape(len(data), *self.bias.shape)  # (T, G, R, 1, H)
        projected += self.bias
        projected[:, :, 1:] = projected[::-1, :, 1:]
        output = np.empty((len(data), *self.bias.shape[1:]), np.float32)  # (T, R, 1, H)
        self.steps(projected, output)
        output[:, 1:] = output[::-1, 1:]
        return output[:, :, 0]

    def _lstm(self, projected: Array, output: Array) -> None:
        gates = np.empty_like(projected[0])  # (G, R, 1, H)
        sigmoids, (i, f, o, g) = gates[:3], gates
        state, cell, candidate = (np.zeros_like(g) for _ in range(3))
        for step, out in zip(projected, output, strict=True):
            np.matmul(state, self.w_hh, out=gates)
            gates += step
            np.tanh(gates, out=gates)
            sigmoids *= HALF
            sigmoids += HALF
            cell *= f
            np.multiply(i, g, out=candidate)
            cell += candidate
            np.tanh(cell, out=candidate)
            state = np.multiply(o, candidate, out=out)

    def _gru(self, projected: Array, output: Array) -> None:
        gates = np.empty_like(projected[0])
        sigmoids, (r, z, n) = gates[:2], gates
        state, change = np.zeros_like(n), np.empty_like(n)
        for step, out in zip(projected, output, strict=True):
            np.matmul(state, self.w_hh, out=gates)
            sigmoids += step[:2]
            np.tanh(sigmoids, out=sigmoids)
            sigmoids *= HALF
            sigmoids += HALF
            n += self.reset_bias
            n *= r
            n += step[2]
            np.tanh(n, out=n)
            np.subtract(state, n, out=change)
            change *= z
            state = np.add(n, change, out=out)

    def _rnn(self, projected: Array, output: Array) -> None:
        state = np.zeros_like(output[0])
        for step, out in zip(projected[:, 0], output, strict=True):
            gates = np.matmul(state, self.w_hh[0])
            gates += step
            state = np.tanh(gates, out=out)


def _suffixes(config: ModelConfig) -> tuple[str, ...]:
    return ("", "_reverse") if config.bidirectional else ("",)
