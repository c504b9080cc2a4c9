"""The recurrence of RNN, LSTM and GRU layers over packed sequences, in torch operations.

`Steps` runs where the compiled `native.NativeSteps` does not; both have the same methods.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Cell(NamedTuple):
    """What tells the cells apart.

    A unit has `slots` in the gates array, in C and here: i f g o (LSTM), hn r z n (GRU, where hn is
    the hidden state's part of n), one (RNN). The hidden state feeds the first `gates` of them, the
    input the last `gates`. `forward` turns the sums in gates (n, slots, H) into activations and
    gives the new states, each (n, H), from the previous ones; `backward` turns the activations into
    gradients of the sums and `d_states` into gradients of the previous states, except what reaches
    these through the recurrent weights.
    """

    name: str  # of torch's function
    code: int  # of the C
    gates: int
    slots: int
    states: int
    forward: Callable[[Tensor, Tensor], list[Tensor]]
    backward: Callable[[Tensor, Tensor, Tensor], None]

    @property
    def shift(self) -> int:
        """Slots before those of the input; where there is one, gate g of h feeds slot g + 1."""
        return self.slots - self.gates


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
    h.copy_(torch.where(h <= 0, 0, d_states[0]))  # of NaN it is passed on, as in torch
    d_states.zero_()


CELLS = {
    "RNN_TANH": Cell("rnn_tanh", 0, 1, 1, 1, lambda gates, _: [gates[:, 0].tanh_()], _tanh_backward),
    "RNN_RELU": Cell("rnn_relu", 1, 1, 1, 1, lambda gates, _: [gates[:, 0].relu_()], _relu_backward),
    "LSTM": Cell("lstm", 2, 4, 4, 2, _lstm_forward, _lstm_backward),
    "GRU": Cell("gru", 3, 3, 4, 1, _gru_forward, _gru_backward),
}


class Pass(NamedTuple):
    """The arrays of one pass over a layer, forward or backward, with all directions.

    There are D directions, S states of the cell (h, and for the LSTM c), N packed rows and B sequences.
    `width` is the number of hidden units; `out` may have fewer, since `NativeSteps` wants multiples of its
    `lanes`.
    """

    cell: Cell
    sizes: Tensor  # (T,) sequences alive at each step, ``PackedSequence.batch_sizes``
    data: Tensor  # (N, E) inputs
    gates: Tensor  # (D, N, slots, width) activations out; backward: these in, gradients of the sums out
    prev: Tensor  # (S, D, N, width) states before each row; forward fills it
    state: Tensor  # (S, D, B, width) initial states in, final ones out; backward: gradients, the other way
    inward: Sequence[Tensor]  # D input weights (gates * width, E)
    weights: Sequence[Tensor]  # D recurrent weights (gates * width, width), gates in the order of the slots
    bias: Tensor  # (D, slots, width) sum of both biases; backward: zeros in, its gradient out
    out: Tensor  # (N, D, H) hidden states out; backward: their gradient in


Gradients = tuple[Tensor | None, list[Tensor], list[Tensor]]


class Steps:
    """One layer: projections, the loops over the steps, gradients of the weights."""

    lanes = 1

    def forward(self, layer: Pass) -> None:
        """Run all steps."""
        cell, sizes, _, gates, prev, state, _, weights, bias, out = layer
        project(layer)
        gates += bias[:, None]
        for d, weight in enumerate(weights):
            for start, n, before, after, following in _steps(sizes.tolist(), d):
                rows, running = slice(start, start + n), min(n, after)
                prev[:, d, start + before : start + n] = state[:, d, before:n]
                sums = gates[d, rows].flatten(1)[:, : len(weight)]
                sums.addmm_(prev[0, d, rows], weight.t())
                for s, new in enumerate(cell.forward(gates[d, rows], prev[:, d, rows])):
                    prev[s, d, following : following + running] = new[:running]
                    state[s, d, running:n] = new[running:]
                    if s == 0:
                        out[rows, d] = new[:, : out.shape[2]]

    def backward(self, layer: Pass, needs_data: bool) -> Gradients:
        """Run all steps backward, from the gradients of outputs and final states.

        Returns
        -------
        d_data, d_inward, d_weights
            The gradients of `data` (None unless wanted), `inward` and `weights`.
        """
        cell, sizes, _, gates, prev, state, _, weights, bias, out = layer
        for d, weight in enumerate(weights):
            for start, n, *_ in reversed(list(_steps(sizes.tolist(), d))):
                rows, d_states = slice(start, start + n), state[:, d, :n]
                d_states[0, :, : out.shape[2]] += out[rows, d]
                cell.backward(gates[d, rows], prev[:, d, rows], d_states)
                d_states[0].addmm_(gates[d, rows].flatten(1)[:, : len(weight)], weight)
        torch.sum(gates, 1, out=bias)
        return collect(layer, needs_data)


def project(layer: Pass) -> None:
    """Write what the inputs give to the sums of all rows, one product a direction."""
    gates, shift = layer.gates, layer.cell.shift
    for d, weight in enumerate(layer.inward):
        torch.mm(layer.data, weight.t(), out=gates[d].flatten(1)[:, shift * gates.shape[-1] :])
        gates[d, :, :shift] = 0


def collect(layer: Pass, needs_data: bool) -> Gradients:
    """Return the gradients of inputs and weights from those of the sums of all rows."""
    cell, width = layer.cell, layer.gates.shape[-1]
    d_data: Tensor | None = None
    d_inward, d_weights = [], []
    for d, weight in enumerate(layer.inward):
        d_gates = layer.gates[d].flatten(1)
        d_input, d_hidden = d_gates[:, cell.shift * width :], d_gates[:, : cell.gates * width]
        if needs_data:
            d_data = d_input @ weight if d_data is None else d_data.addmm_(d_input, weight)
        d_inward.append(d_input.t() @ layer.data)
        d_weights.append(d_hidden.t() @ layer.prev[0, d])
    return d_data, d_inward, d_weights


def _steps(sizes: list[int], d: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield first row, rows, rows of the step before and after, first row of the step after."""
    starts = [0, *itertools.accumulate(sizes)]
    order = range(len(sizes))[:: -1 if d else 1]
    before = 0
    for t, following in itertools.zip_longest(order, order[1:]):
        after = 0 if following is None else sizes[following]
        yield starts[t], sizes[t], before, after, starts[following or 0]
        before = sizes[t]
