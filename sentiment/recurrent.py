"""RNN, LSTM and GRU for packed sequences on a CPU, in time linear in the number of tokens.

The classes take the place of those of `torch.nn`: same arguments, parameters and results. A float32
or float64 `PackedSequence` on the CPU runs here, step by step over the sequences still alive; any
other input (padded tensors, another device, projections, autocast) runs in torch. The recurrence
itself is C (``recurrent_kernel.c``, compiled on first use) for float32, else torch operations.
"""

from __future__ import annotations

import ctypes
import itertools
import subprocess
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence

__all__ = ["GRU", "LSTM", "RNN", "kernel"]


def kernel() -> str:
    """Say what runs the float32 recurrence: ``"native"`` (compiled C) or ``"torch"``."""
    return "torch" if _native() is None else "native"


class _Packed:
    """The forward pass that the three layers share; mixed in before the class of `torch.nn`."""

    def forward(self: Any, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Run the layers, as `torch.nn` does.

        Parameters
        ----------
        input : PackedSequence or Tensor
            The sequences; only a packed sequence takes the fast path.
        hx : Tensor or (Tensor, Tensor), optional
            Initial states, each (layers * directions, B, hidden_size); zeros by default.

        Returns
        -------
        output : PackedSequence or Tensor
            The last layer's hidden states, (..., directions * hidden_size).
        h_n : Tensor or (Tensor, Tensor)
            Final states, shaped as `hx`.
        """
        if not _runs_here(self, input):
            return super().forward(input, hx)  # type: ignore[misc]
        data, sizes, order, unorder = input
        cell = _CELLS[self.mode]
        directions, batch = 2 if self.bidirectional else 1, int(sizes[0])
        if hx is None:
            zeros = data.new_zeros(self.num_layers * directions, batch, self.hidden_size)
            states = torch.stack([zeros] * cell.states)
        else:
            hx = self.permute_hidden(hx, order)
            self.check_forward_args(data, hx, sizes)
            states = torch.stack(hx if cell.states == 2 else (hx,))  # (S, L * D, B, H)

        finals = []
        weights = [[*w, *[None] * (4 - len(w))] for w in self.all_weights]  # without biases: None
        for layer in range(self.num_layers):
            here = slice(layer * directions, (layer + 1) * directions)
            if layer and self.dropout:
                data = F.dropout(data, self.dropout, self.training)
            arguments = (cell, sizes, data, states[:, here], *itertools.chain(*weights[here]))
            if torch.is_grad_enabled():
                data, final = _Recurrence.apply(*arguments)
            else:
                data, final, work = _forward(*arguments)
                _give(work)
            finals.append(final)
        final = torch.cat(finals, 1)
        h_n = (final[0], final[1]) if cell.states == 2 else final[0]
        return PackedSequence(data, sizes, order, unorder), self.permute_hidden(h_n, unorder)


class RNN(_Packed, nn.RNN):
    """`torch.nn.RNN`, linear in the number of tokens of a packed sequence on the CPU."""


class LSTM(_Packed, nn.LSTM):
    """`torch.nn.LSTM`, linear in the number of tokens of a packed sequence on the CPU."""


class GRU(_Packed, nn.GRU):
    """`torch.nn.GRU`, linear in the number of tokens of a packed sequence on the CPU."""


def _runs_here(layer: nn.RNNBase, input: object) -> bool:
    weight = layer.weight_ih_l0
    return (
        isinstance(input, PackedSequence)
        and input.data.device.type == weight.device.type == "cpu"
        and input.data.dtype == weight.dtype
        and weight.dtype in (torch.float32, torch.float64)
        and not layer.proj_size
        and not torch.is_autocast_enabled("cpu")
    )


# ---- cells ---------------------------------------------------------------------------------------


class _Cell(NamedTuple):
    """What tells the cells apart.

    A unit has `slots` in the gates array, in C and here: i f g o (LSTM), hn r z n (GRU, where hn is
    the hidden state's part of n), one (RNN). The hidden state feeds the first `gates` of them, the
    input the last `gates`. `forward` turns the sums in gates (n, slots, H) into activations and
    gives the new states, each (n, H), from the previous ones; `backward` turns the activations into
    gradients of the sums and `d_states` into gradients of the previous states, except what reaches
    these through the recurrent weights.
    """

    code: int
    gates: int
    slots: int
    states: int
    forward: Callable[[Tensor, Tensor], list[Tensor]]
    backward: Callable[[Tensor, Tensor, Tensor], None]


def _lstm_forward(gates: Tensor, previous: Tensor) -> list[Tensor]:
    i, f, g, o = gates.unbind(1)
    gates[:, :2].sigmoid_(), g.tanh_(), o.sigmoid_()
    c = torch.addcmul(f * previous[1], i, g)
    return [o * c.tanh(), c]


def _lstm_backward(gates: Tensor, previous: Tensor, d_states: Tensor) -> None:
    i, f, g, o = gates.unbind(1)
    dh, dc = d_states
    tanh_c = torch.addcmul(f * previous[1], i, g).tanh_()
    dc += dh * o * (1 - tanh_c * tanh_c)
    di, df, dg = dc * g * i * (1 - i), dc * previous[1] * f * (1 - f), dc * i * (1 - g * g)
    do = dh * tanh_c * o * (1 - o)
    dc *= f
    dh.zero_()
    torch.stack((di, df, dg, do), 1, out=gates)


def _gru_forward(gates: Tensor, previous: Tensor) -> list[Tensor]:
    hn, r, z, n = gates.unbind(1)
    gates[:, 1:3].sigmoid_()
    n.addcmul_(r, hn).tanh_()
    return [torch.lerp(n, previous[0], z)]


def _gru_backward(gates: Tensor, previous: Tensor, d_states: Tensor) -> None:
    hn, r, z, n = gates.unbind(1)
    dh = d_states[0]
    dn = dh * (1 - z) * (1 - n * n)
    dr, dz = dn * hn * r * (1 - r), dh * (previous[0] - n) * z * (1 - z)
    dh *= z
    torch.stack((dn * r, dr, dz, dn), 1, out=gates)


def _tanh_backward(gates: Tensor, previous: Tensor, d_states: Tensor) -> None:
    h = gates[:, 0]
    h.copy_(d_states[0] * (1 - h * h))
    d_states.zero_()


def _relu_backward(gates: Tensor, previous: Tensor, d_states: Tensor) -> None:
    h = gates[:, 0]
    h.copy_(d_states[0] * (h > 0))
    d_states.zero_()


_CELLS = {
    "RNN_TANH": _Cell(0, 1, 1, 1, lambda gates, _: [gates[:, 0].tanh_()], _tanh_backward),
    "RNN_RELU": _Cell(1, 1, 1, 1, lambda gates, _: [gates[:, 0].relu_()], _relu_backward),
    "LSTM": _Cell(2, 4, 4, 2, _lstm_forward, _lstm_backward),
    "GRU": _Cell(3, 3, 4, 1, _gru_forward, _gru_backward),
}

# ---- one layer -----------------------------------------------------------------------------------


class _Work(NamedTuple):
    """What the forward pass of a layer leaves for its backward pass, in one piece of memory."""

    memory: Tensor
    gates: Tensor  # (D, N, slots, P): activations
    prev: Tensor  # (S, D, N, P): states before each row


class _Recurrence(torch.autograd.Function):
    """One layer in all its directions: data (N, E), states (S, D, B, H) -> (N, D * H), states."""

    @staticmethod
    def forward(ctx: Any, cell: _Cell, sizes: Tensor, data: Tensor, hx: Tensor, *weights: Any) -> Any:
        out, final, ctx.work = _forward(cell, sizes, data, hx, *weights)
        ctx.cell = cell
        ctx.save_for_backward(sizes, data, hx, *weights)
        return out, final

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_final: Tensor) -> Any:
        sizes, data, hx, *weights = ctx.saved_tensors
        # The activations give way to their gradients; who kept the graph for another backward
        # pass has them computed once more.
        work = ctx.work or _forward(ctx.cell, sizes, data, hx, *weights)[-1]
        ctx.work = None
        needs_data = ctx.needs_input_grad[2]
        d_data, d_hx, d_weights = _backward(ctx.cell, sizes, data, weights, work, d_out, d_final, needs_data)
        _give(work)
        return None, None, d_data, d_hx, *d_weights


def _forward(
    cell: _Cell, sizes: Tensor, data: Tensor, hx: Tensor, *weights: Tensor | None
) -> tuple[Tensor, Tensor, _Work]:
    """Run one layer; `weights` are w_ih, w_hh, b_ih, b_hh of each direction, biases or None."""
    (states, directions, batch, hidden), rows = hx.shape, len(data)
    native = _native() if data.dtype == torch.float32 else None
    width = _padded(hidden, native)
    work = _take(cell, directions, rows, width, data.dtype)
    shift = cell.slots - cell.gates
    bias = data.new_zeros(directions, cell.slots, width)
    for d, (w_ih, b_ih, b_hh) in enumerate(zip(weights[::4], weights[2::4], weights[3::4])):
        projected = work.gates[d].view(rows, -1)[:, shift * width :]
        torch.mm(data, _to_slots(w_ih, cell.gates, width).t(), out=projected)
        work.gates[d, :, :shift] = 0
        if b_ih is not None and b_hh is not None:
            bias[d, shift:, :hidden] += b_ih.view(-1, hidden)
            bias[d, : cell.gates, :hidden] += b_hh.view(-1, hidden).roll(shift, 0)
    final = F.pad(hx, (0, width - hidden))
    out = data.new_empty(rows, directions, hidden)
    recurrent = _recurrent(cell, weights, width)
    if native:
        _call(native, False, cell, sizes, work, final, recurrent, bias[:, None], out)
    else:
        _forward_steps(cell, sizes.tolist(), work, final, recurrent, bias, out)
    return out.view(rows, -1), final[..., :hidden], work


def _backward(
    cell: _Cell,
    sizes: Tensor,
    data: Tensor,
    weights: Sequence[Tensor | None],
    work: _Work,
    d_out: Tensor,
    d_final: Tensor,
    needs_data: bool,
) -> tuple[Tensor | None, Tensor, list[Tensor | None]]:
    """Give the gradients of data, initial states and weights; overwrites `work.gates`."""
    (_, directions, batch, hidden), rows = d_final.shape, len(data)
    native = _native() if data.dtype == torch.float32 else None
    width = _padded(hidden, native)
    d_hx = F.pad(d_final, (0, width - hidden))
    d_out = d_out.contiguous().view(rows, directions, hidden)
    recurrent = _recurrent(cell, weights, width)
    if native:
        shares = _shares(directions, batch)
        d_bias = data.new_zeros(directions, shares, cell.slots, width)
        _call(native, True, cell, sizes, work, d_hx, recurrent, d_bias, d_out)
        d_bias = d_bias.sum(1)
    else:
        _backward_steps(cell, sizes.tolist(), work, d_hx, recurrent, d_out)
        d_bias = work.gates.sum(1)

    shift = cell.slots - cell.gates
    d_data = None
    d_weights: list[Tensor | None] = []
    for d, (w_ih, b_ih) in enumerate(zip(weights[::4], weights[2::4])):
        gates = work.gates[d].view(rows, -1)
        d_in, d_recurrent = gates[:, shift * width :], gates[:, : cell.gates * width]
        if needs_data:
            w = _to_slots(w_ih, cell.gates, width)
            d_data = d_in @ w if d_data is None else d_data.addmm_(d_in, w)
        d_ih = (d_in.t() @ data).view(cell.gates, width, -1)[:, :hidden]
        d_hh = (d_recurrent.t() @ work.prev[0, d]).view(cell.gates, width, width)
        d_hh = d_hh[:, :hidden, :hidden].roll(-shift, 0)
        d_weights += [d_ih.reshape(-1, data.shape[1]), d_hh.reshape(-1, hidden)]
        d_b = d_bias[d, :, :hidden]
        d_biases = [d_b[shift:].reshape(-1), d_b[: cell.gates].roll(-shift, 0).reshape(-1)]
        d_weights += d_biases if b_ih is not None else [None, None]
    return d_data, d_hx[..., :hidden], d_weights


def _padded(hidden: int, native: ctypes.CDLL | None) -> int:
    """Round up to whole vectors; a padded unit has no weights, so that its state stays zero."""
    lanes = native.sentiment_lanes() if native else 1
    return -(-hidden // lanes) * lanes


def _to_slots(weight: Tensor, gates: int, width: int, columns: int = 0, shift: int = 0) -> Tensor:
    """Pad a weight (gates * H, K) to (gates * width, K + columns); move its gates by `shift`."""
    weight = weight.view(gates, -1, weight.shape[1])
    weight = F.pad(weight, (0, columns, 0, width - weight.shape[1]))
    return weight.roll(shift, 0).view(gates * width, -1)


def _recurrent(cell: _Cell, weights: Sequence[Tensor | None], width: int) -> Tensor:
    """Give the recurrent weights of all directions, (D, gates * width, width)."""
    shift = cell.slots - cell.gates
    return torch.stack(
        [_to_slots(w, cell.gates, width, width - w.shape[1], shift) for w in weights[1::4] if w is not None]
    )


_spare: list[Tensor] = []


def _take(cell: _Cell, directions: int, rows: int, width: int, dtype: torch.dtype) -> _Work:
    """Get memory for one layer, used before where possible: fresh pages cost as much as the sums."""
    sizes = [directions * rows * width * cell.slots, directions * rows * width * cell.states]
    try:
        memory = _spare.pop()
    except IndexError:
        memory = None
    if memory is None or memory.numel() * memory.itemsize < sum(sizes) * dtype.itemsize:
        # A power of two soon fits every batch; untouched pages cost nothing.
        with torch.inference_mode(False):
            memory = torch.empty(1 << (sum(sizes) * dtype.itemsize - 1).bit_length(), dtype=torch.uint8)
    gates, prev, _ = memory.view(dtype).split([*sizes, memory.numel() // dtype.itemsize - sum(sizes)])
    gates = gates.view(directions, rows, cell.slots, width)
    return _Work(memory, gates, prev.view(cell.states, directions, rows, width))


def _give(work: _Work) -> None:
    if len(_spare) < 4:
        _spare.append(work.memory)


# ---- the recurrence in torch ---------------------------------------------------------------------


def _steps(sizes: list[int], d: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield first row, rows, rows of the step before and after, first row of the step after."""
    starts = [0, *itertools.accumulate(sizes)]
    order = range(len(sizes))[:: -1 if d else 1]
    before = 0
    for t, following in itertools.zip_longest(order, order[1:]):
        after = 0 if following is None else sizes[following]
        yield starts[t], sizes[t], before, after, starts[following or 0]
        before = sizes[t]


def _forward_steps(
    cell: _Cell, sizes: list[int], work: _Work, state: Tensor, weight: Tensor, bias: Tensor, out: Tensor
) -> None:
    """Do what ``sentiment_recur`` does: fill `work`, `out` and, with the final states, `state`."""
    width = weight.shape[2]
    for d, gates in enumerate(work.gates):
        gates += bias[d]
        prev, w = work.prev[:, d], weight[d].t()
        for start, n, before, after, following in _steps(sizes, d):
            rows = slice(start, start + n)
            prev[:, start + before : start + n] = state[:, d, before:n]
            gates.flatten(1)[rows, : cell.gates * width].addmm_(prev[0, rows], w)
            states = cell.forward(gates[rows], prev[:, rows])
            kept = min(n, after)
            for s, new in enumerate(states):
                prev[s, following : following + kept] = new[:kept]
                state[s, d, kept:n] = new[kept:]
            out[rows, d] = states[0]


def _backward_steps(
    cell: _Cell, sizes: list[int], work: _Work, state: Tensor, weight: Tensor, d_out: Tensor
) -> None:
    """Turn the activations in `work` and the gradient of the final states into gradients."""
    width = weight.shape[2]
    for d, gates in enumerate(work.gates):
        for start, n, *_ in reversed(list(_steps(sizes, d))):
            rows = slice(start, start + n)
            d_states = state[:, d, :n]
            d_states[0] += d_out[rows, d]
            cell.backward(gates[rows], work.prev[:, d, rows], d_states)
            d_states[0].addmm_(gates.flatten(1)[rows, : cell.gates * width], weight[d])


# ---- the recurrence in C -------------------------------------------------------------------------


def _shares(directions: int, batch: int) -> int:
    """Say into how many parts the sequences of each direction go, to keep all threads busy."""
    return min(batch, max(1, torch.get_num_threads() // directions))


def _call(
    library: ctypes.CDLL,
    is_backward: bool,
    cell: _Cell,
    sizes: Tensor,
    work: _Work,
    state: Tensor,
    weight: Tensor,
    bias: Tensor,
    out: Tensor,
) -> None:
    _, directions, batch, width = state.shape
    lanes = library.sentiment_lanes()
    tall = 4 * lanes
    if is_backward:
        panels = (
            torch.stack([w.reshape(-1) for w in weight.split(tall, 2)])
            if width <= tall
            else (torch.cat([w.reshape(directions, -1) for w in weight.split(tall, 2)], 1))
        )
    else:
        # units of one vector, with all their gates
        w = weight.view(directions, cell.gates, width // lanes, lanes, width)
        w = w.permute(0, 4, 2, 1, 3).reshape(directions, width, cell.gates * width)
        per = cell.gates * lanes if cell.gates > 1 else tall
        panels = torch.cat([p.reshape(directions, -1) for p in w.split(per, 2)], 1)
    library.sentiment_recur(
        is_backward,
        torch.get_num_threads(),
        cell.code,
        directions,
        _shares(directions, batch),
        len(sizes),
        len(out),
        batch,
        out.shape[-1],
        width,
        *(t.data_ptr() for t in (sizes, work.gates, work.prev, state, panels, bias, out)),
    )


@cache
def _native() -> ctypes.CDLL | None:
    return _load()


def _load() -> ctypes.CDLL:
    compiler = ["cc"]
    source = Path(__file__).with_name("recurrent_kernel.c")
    flags = [
        "-std=gnu11",
        "-O3",
        "-march=native",
        "-ffp-contract=fast",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fopenmp-simd",
        "-shared",
        "-fPIC",
        "-pthread",
    ]
    target = "/work/kernel/scratch/kk.so"
    subprocess.run([*compiler, *flags, str(source), "-o", target], check=True)
    library = ctypes.CDLL(target)
    library.sentiment_recur.argtypes = [ctypes.c_ssize_t] * 10 + [ctypes.c_void_p] * 7
    library.sentiment_recur.restype = None
    return library
