"""The recurrence in C: `steps.Steps` and pooling, compiled."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from sentiment.models.recurrent import library
from sentiment.models.recurrent.steps import CELLS, Gradients, Pass, Steps, collect, project

SMALL = 1 << 21  # weights of a direction


class Kernel(NamedTuple):
    """The compiled loops, or None, and why there are none or they are not kept; None if all is well."""

    steps: NativeSteps | None
    reason: str | None


def load() -> NativeSteps | None:
    """Return the compiled loops, or None where they are off, cannot be built or compute nonsense."""
    return find().steps


def kernel() -> str:
    """Say what runs the float32 recurrence: ``"native"`` (compiled C) or ``"torch"``.

    The environment variable ``SENTIMENT_KERNEL=off``, set before first use, turns the C off.
    """
    return "torch" if load() is None else "native"


def kernel_reason() -> str | None:
    """Say why the float32 recurrence is not compiled, or not kept, with the way out; None if all is well."""
    return find().reason


@functools.cache
def find() -> Kernel:
    """Load the library, which is built if need be, and check what it computes."""
    try:
        if os.environ.get("SENTIMENT_KERNEL") == "off":
            raise library.LibraryError("SENTIMENT_KERNEL=off; unset it")
        loaded, reason = library.load()
        steps = NativeSteps(loaded)
        if not _is_right(steps):
            raise library.LibraryError("it computes nonsense as compiled here; set CC to another compiler")
    except (library.LibraryError, OSError, AttributeError) as error:
        # How much slower is a measurement of scripts/BENCHMARK.md.
        return Kernel(None, f"the compiled recurrence is off, and training about three times slower: {error}")
    return Kernel(steps, reason)


class NativeSteps(Steps):
    """The same as `Steps` for float32, with ``kernel.c`` at work."""

    def __init__(self, library: Any) -> None:
        for constant in (library.sentiment_lanes, library.sentiment_block):
            constant.restype = ctypes.c_ssize_t
        library.sentiment_recur.argtypes = [ctypes.c_ssize_t] * 11 + [ctypes.c_void_p] * 12
        library.sentiment_recur.restype = None
        library.sentiment_pool.argtypes = [ctypes.c_ssize_t] * 5 + [ctypes.c_void_p] * 5
        library.sentiment_pool.restype = None
        self._recur, self._pool = library.sentiment_recur, library.sentiment_pool
        self.lanes, self.block = library.sentiment_lanes(), library.sentiment_block()

    def forward(self, layer: Pass) -> None:
        """Run all steps."""
        cell = layer.cell

        def panels(matrices: Sequence[Tensor]) -> Tensor:
            # A panel is the weights that one register tile works with: all gates of one vector of
            # units, or if there is but one gate, four vectors of units.
            if cell.gates == 1:
                return _join(part.t() for w in matrices for part in w.split(4 * self.lanes))
            return _join(w.view(cell.gates, -1, self.lanes, w.shape[1]).permute(1, 3, 0, 2) for w in matrices)

        within: tuple[Tensor, ...] = ()
        if _is_small(layer):
            within = (layer.data.contiguous(), panels(layer.inward))
        else:
            project(layer)
        self._call(False, layer, _shares(layer.state), panels(layer.weights), layer.bias, within)

    def backward(self, layer: Pass, needs_data: bool) -> Gradients:
        """Run all steps backward, from the gradients of outputs and final states."""

        def panels(matrices: Sequence[Tensor]) -> Tensor:
            return _join(part for w in matrices for part in w.split(4 * self.lanes, 1))

        cell, data, shares = layer.cell, layer.data, _shares(layer.state)
        (rows, features), (directions, _, slots, width) = data.shape, layer.gates.shape
        biases = data.new_zeros(directions, shares, slots, width)
        weights = panels(layer.weights)
        if not _is_small(layer):
            self._call(True, layer, shares, weights, biases)
            torch.sum(biases, 1, out=layer.bias)
            return collect(layer, needs_data)
        wide = -(-features // self.lanes) * self.lanes
        padded = [functional.pad(w, (0, wide - features)) for w in layer.inward]
        d_input = data.new_empty(directions, rows, wide) if needs_data else None
        d_weight = data.new_empty(directions, shares, features + width, slots, width)
        scratch = data.new_empty(directions * shares, self.block, features + width + 4 * self.lanes)
        within = (data.contiguous(), panels(padded), d_input, d_weight, scratch)
        self._call(True, layer, shares, weights, biases, within)
        torch.sum(biases, 1, out=layer.bias)
        d_data = None if d_input is None else _add_up(d_input.unbind())[:, :features]
        d_inward, d_weights = _add_up(d_weight.unbind(1)).split([features, width], 1)
        return (
            d_data,
            [part[:, cell.shift :].flatten(1).t() for part in d_inward],
            [part[:, : cell.gates].flatten(1).t() for part in d_weights],
        )

    def _call(
        self, is_backward: bool, layer: Pass, shares: int, weights: Tensor, bias: Tensor,
        within: Sequence[Tensor | None] = (),
    ) -> None:  # fmt: skip
        """Call the C; `within` is what it needs to do the projections, too."""
        cell, sizes, data, gates, prev, state, _, _, _, out = layer
        features = data.shape[1] if within else 0
        arrays = (sizes, gates, prev, state, weights, bias, out, *within)
        addresses = [None if t is None else t.data_ptr() for t in arrays]
        self._recur(
            is_backward, torch.get_num_threads(), cell.code, state.shape[1], shares, len(sizes),
            len(out), state.shape[2], out.shape[2], state.shape[3], features,
            *addresses, *[None] * (12 - len(addresses)),
        )  # fmt: skip

    def pool(self, data: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return maximum and mean (B, D) of the sequences of rows (N, D), and the rows of the maxima."""
        largest = data.new_empty(int(sizes[0]), data.shape[1])
        mean, where = torch.empty_like(largest), torch.empty_like(largest, dtype=torch.int32)
        self._reduce(False, sizes, data, largest, mean, where)
        return largest, mean, where

    def unpool(self, d_largest: Tensor, d_mean: Tensor, where: Tensor, sizes: Tensor, rows: int) -> Tensor:
        """Return the gradient of the rows (N, D)."""
        d_data = d_mean.new_empty(rows, d_mean.shape[1])
        mean = d_mean.clone(memory_format=torch.contiguous_format)  # overwritten
        self._reduce(True, sizes, d_data, d_largest.contiguous(), mean, where)
        return d_data

    def _reduce(self, is_backward: bool, sizes: Tensor, *arrays: Tensor) -> None:
        size, width = arrays[1].shape
        threads = min(torch.get_num_threads(), -(-width // self.lanes))
        addresses = (t.data_ptr() for t in (sizes, *arrays))
        self._pool(is_backward, threads, len(sizes), size, width, *addresses)


def _join(panels: Iterable[Tensor]) -> Tensor:
    """Lay panels one after another, in one copy."""
    panels = list(panels)
    joined = panels[0].new_empty(sum(panel.numel() for panel in panels))
    for part, panel in zip(joined.split([panel.numel() for panel in panels]), panels, strict=True):
        part.view(panel.shape).copy_(panel)
    return joined


def _add_up(parts: Sequence[Tensor]) -> Tensor:
    """Add tensors to the first of them."""
    for part in parts[1:]:
        parts[0].add_(part)
    return parts[0]


def _is_small(layer: Pass) -> bool:
    """Say whether the loop also makes the projections and the gradients of the weights.

    There the rows are in the processor's cache, if the weights leave room for them.
    """
    return layer.inward[0].numel() + layer.weights[0].numel() <= SMALL


def _shares(state: Tensor) -> int:
    """Return the number of parts of the sequences of a direction, such that all threads are busy."""
    _, directions, batch, _ = state.shape
    return min(batch, max(1, torch.get_num_threads() // directions))


@torch.no_grad()
def _is_right(native: Steps) -> bool:
    """Compare with the torch operations on a small layer of each cell."""
    random = torch.Generator("cpu").manual_seed(0)  # leaves the user's random state alone
    sizes, width = torch.tensor([3, 2, 1], device="cpu"), 2 * native.lanes

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float32, device="cpu") - 0.5

    for cell in CELLS.values():
        data, state = draw(6, 5), draw(cell.states, 2, 3, width)
        inward = [draw(cell.gates * width, 5) for _ in range(2)]
        weights = [draw(cell.gates * width, width) for _ in range(2)]
        bias, d_out = draw(2, cell.slots, width), draw(6, 2, width - 1)
        for w in (*inward, *weights):  # the last unit fills up, and is zero
            w.view(cell.gates, width, -1)[:, -1] = 0
        for part in (*weights, bias, state):
            part[..., -1] = 0
        results = []
        for steps in (native, Steps()):
            gates, prev, states = draw(2, 6, cell.slots, width), draw(cell.states, 2, 6, width), state.clone()
            out, d_bias, d_states = torch.empty_like(d_out), torch.zeros_like(bias), state.clone()
            layer = Pass(cell, sizes, data, gates, prev, states, inward, weights, bias, out)
            steps.forward(layer)
            d_data, d_inward, d_weights = steps.backward(
                layer._replace(state=d_states, bias=d_bias, out=d_out), needs_data=True
            )
            results.append([out, states, prev, gates, d_states, d_bias, d_data, *d_inward, *d_weights])
        if not all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(*results, strict=True)):
            return False
    return True
