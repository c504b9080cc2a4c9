"""RNN, LSTM and GRU for packed sequences on a CPU, in time linear in the number of tokens.

The classes take the place of those in `torch.nn`: same arguments, parameters and results. A packed
sequence on the CPU, float32 or float64, runs here, step by step over the sequences still alive; any
other input (padded tensors, other devices, projections, autocast, compilation) runs in `torch.nn`.
The loop over the steps is C (``kernel.c``, built on first use) for float32 where there is
a compiler, and torch operations otherwise.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sentiment.recurrent import native
from sentiment.recurrent.steps import CELLS, Cell, Steps

__all__ = ["GRU", "LSTM", "RNN", "kernel", "kernel_reason"]

# Units from which the weights no longer fit the caches and torch.nn's products are as good or better;
# it takes over where all sequences are of one length, so that it computes no padding.
LARGE = 512


def kernel() -> str:
    """Say what runs the float32 recurrence: ``"native"`` (compiled C) or ``"torch"``.

    The environment variable ``SENTIMENT_KERNEL=off``, set before first use, turns the C off.
    """
    return "torch" if native.load() is None else "native"


def kernel_reason() -> str | None:
    """Say why the float32 recurrence is not compiled, or is again in each process; None if all is well.

    A sentence with the way out.
    """
    return native.find().reason


class _Packed(nn.RNNBase):
    """The forward pass that the three layers share; mixed in before a class of `torch.nn`.

    Attributes
    ----------
    weight_dropout : float
        Share of the recurrent weights that a training step does without, the same ones at all time steps
        (Merity et al. 2018).
    """

    weight_dropout = 0.0

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Run all layers.

        Parameters
        ----------
        input : PackedSequence or Tensor
            The sequences, features last.
        hx : Tensor or (Tensor, Tensor), optional
            Initial h, for the LSTM (h, c), each (num_layers * D, B, hidden_size) with D directions
            and B sequences; zeros by default.

        Returns
        -------
        output : PackedSequence or Tensor
            Hidden states of the last layer, D * hidden_size features.
        h_n : Tensor or (Tensor, Tensor)
            Final states, shaped as `hx`.
        """
        if not (self.training and self.weight_dropout):
            return self._run(input, hx)
        whole = self._flat_weights
        self._flat_weights = [
            F.dropout(getattr(self, name), self.weight_dropout) if name.startswith("weight_hh") else weight
            for name, weight in zip(self._flat_weights_names, whole, strict=True)
        ]
        try:
            with warnings.catch_warnings():  # cuDNN's, that they do not lie in one piece of memory
                warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")
                return self._run(input, hx)
        finally:
            self._flat_weights = whole

    def _run(self, input: Any, hx: Any) -> tuple[Any, Any]:
        if not _runs_here(self, input, hx):
            return super().forward(input, hx)  # type: ignore[no-any-return]
        data, sizes, order, original_order = input
        cell, directions = CELLS[self.mode], 2 if self.bidirectional else 1
        if hx is None:
            zeros = data.new_zeros(self.num_layers * directions, int(sizes[0]), self.hidden_size)
            hx = (zeros, zeros) if cell.states == 2 else zeros
        else:
            hx = self.permute_hidden(hx, order)
        self.check_forward_args(data, hx, sizes)
        h_n: Any
        if self.hidden_size >= LARGE and sizes[0] == sizes[-1]:  # all of the same length
            dense: Any = data.view(len(sizes), -1, data.shape[1])
            dense, h_n = super().forward(dense.transpose(0, 1) if self.batch_first else dense, hx)
            data = (dense.transpose(0, 1) if self.batch_first else dense).flatten(0, 1)
            h_n = self.permute_hidden(h_n, original_order)
            return PackedSequence(data, sizes, order, original_order), h_n
        states = torch.stack(hx if cell.states == 2 else (hx,))  # (S, num_layers * D, B, H)
        steps = (data.dtype == torch.float32 and native.load()) or Steps()

        finals = []
        flat, each = self._flat_weights, 4 if self.bias else 2
        weights = [[*flat[i : i + each], *[None] * (4 - each)] for i in range(0, len(flat), each)]
        for layer in range(self.num_layers):
            if layer:
                data = F.dropout(data, self.dropout, self.training)
            here = slice(layer * directions, (layer + 1) * directions)
            layer_weights = itertools.chain(*weights[here])
            arguments = (steps, cell, sizes, data, states[:, here], *layer_weights)
            if torch.is_grad_enabled():
                data, final = _Recurrence.apply(*arguments)
            else:
                data, final, work = _forward(*arguments)
                _give_back(work)
            finals.append(final)
        h_n = torch.cat(finals, 1).unbind()
        h_n = self.permute_hidden(h_n if cell.states == 2 else h_n[0], original_order)
        return PackedSequence(data, sizes, order, original_order), h_n


class RNN(_Packed, nn.RNN):
    """`torch.nn.RNN`, in linear time for packed sequences on the CPU."""


class LSTM(_Packed, nn.LSTM):
    """`torch.nn.LSTM`, in linear time for packed sequences on the CPU."""


class GRU(_Packed, nn.GRU):
    """`torch.nn.GRU`, in linear time for packed sequences on the CPU."""


def _runs_here(layer: nn.RNNBase, input: object, hx: Any) -> bool:
    """Say whether this module runs the layer; all that it does not, `torch.nn` does."""
    if not isinstance(input, PackedSequence):
        return False
    states = () if hx is None else (hx,) if isinstance(hx, Tensor) else hx
    return (
        input.data.dtype in (torch.float32, torch.float64)
        and all(
            t.device.type == "cpu" and t.dtype == input.data.dtype
            for t in (input.data, *states, *itertools.chain(*layer.all_weights))
        )
        and not layer.proj_size
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


# ---- one layer -----------------------------------------------------------------------------------


class _Work(NamedTuple):
    """What the forward pass of a layer leaves for its backward pass.

    `width` below is hidden_size, rounded up to whole vectors for the C. A unit that fills up has
    zeros for weights, which keep its state and all its gradients zero.
    """

    memory: Tensor  # what the other two lie in
    gates: Tensor  # (D, N, slots, width): activations
    prev: Tensor  # (S, D, N, width): the states before each row


class _Recurrence(torch.autograd.Function):
    """One layer: data (N, E), initial states (S, D, B, H) -> data (N, D * H), final states."""

    @staticmethod
    def forward(
        ctx: Any, steps: Steps, cell: Cell, sizes: Tensor, data: Tensor, hx: Tensor, *weights: Any
    ) -> tuple[Tensor, Tensor]:
        out, final, ctx.work = _forward(steps, cell, sizes, data, hx, *weights)
        ctx.steps, ctx.cell = steps, cell
        ctx.save_for_backward(sizes, data, hx, *weights)
        return out, final

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_out: Tensor, d_final: Tensor) -> tuple[Tensor | None, ...]:
        sizes, data, hx, *weights = ctx.saved_tensors
        # Gradients overwrite the activations; a second pass through a retained graph is rare
        # enough to compute them again.
        work = ctx.work or _forward(ctx.steps, ctx.cell, sizes, data, hx, *weights)[2]
        ctx.work = None
        d_data, d_hx, d_weights = _backward(
            ctx.steps, ctx.cell, sizes, data, weights, work, d_out, d_final,
            needs_data=ctx.needs_input_grad[3],
        )  # fmt: skip
        _give_back(work)
        return None, None, None, d_data, d_hx, *d_weights


def _forward(
    steps: Steps, cell: Cell, sizes: Tensor, data: Tensor, hx: Tensor, *weights: Any
) -> tuple[Tensor, Tensor, _Work]:
    """Run one layer; `weights` are w_ih, w_hh, b_ih, b_hh of each direction, biases may be None."""
    (_, directions, _, hidden), rows = hx.shape, len(data)
    width = _width(hidden, steps.lanes)
    work = _take(cell, directions, rows, width, data.dtype)
    bias = data.new_zeros(directions, cell.slots, width)
    for d, (b_ih, b_hh) in enumerate(zip(weights[2::4], weights[3::4], strict=True)):
        if b_ih is not None:
            bias[d, cell.shift :, :hidden] += b_ih.view(-1, hidden)
            bias[d, : cell.gates, :hidden] += _roll(b_hh.view(-1, hidden), cell.shift)
    state = F.pad(hx, (0, width - hidden))
    out = data.new_empty(rows, directions, hidden)
    inward, recurrent = _wide_weights(cell, weights, width, data.shape[1])
    steps.forward(cell, sizes, data, work.gates, work.prev, state, inward, recurrent, bias, out)
    return out.flatten(1), state[..., :hidden], work


def _backward(
    steps: Steps,
    cell: Cell,
    sizes: Tensor,
    data: Tensor,
    weights: Sequence[Any],
    work: _Work,
    d_out: Tensor,
    d_final: Tensor,
    needs_data: bool,
) -> tuple[Tensor | None, Tensor, list[Tensor | None]]:
    """Give the gradients of data, initial states and weights; overwrites the activations."""
    (_, directions, _, hidden), (rows, features) = d_final.shape, data.shape
    width = _width(hidden, steps.lanes)
    d_state = F.pad(d_final, (0, width - hidden))
    d_out = d_out.contiguous().view(rows, directions, hidden)
    inward, recurrent = _wide_weights(cell, weights, width, features)
    d_bias = data.new_zeros(directions, cell.slots, width)
    d_data, d_inward, d_recurrent = steps.backward(
        cell, sizes, data, work.gates, work.prev, d_state, inward, recurrent, d_bias, d_out, needs_data
    )
    d_weights: list[Tensor | None] = []
    for d in range(directions):
        d_ih, d_hh = (one[d].unflatten(0, (cell.gates, width))[:, :hidden] for one in (d_inward, d_recurrent))
        d_hh = _roll(d_hh[..., :hidden], -cell.shift)
        d_weights += [d_ih.reshape(-1, features), d_hh.reshape(-1, hidden)]
        if weights[4 * d + 2] is None:
            d_weights += [None, None]
        else:
            d_b_ih, d_b_hh = d_bias[d, cell.shift :, :hidden], d_bias[d, : cell.gates, :hidden]
            d_weights += [d_b_ih.flatten(), _roll(d_b_hh, -cell.shift).flatten()]
    return d_data, d_state[..., :hidden], d_weights


def _width(hidden: int, lanes: int) -> int:
    return -(-hidden // lanes) * lanes


def _roll(gates: Tensor, shift: int) -> Tensor:
    """Bring the gates from torch's order to that of the slots, or back."""
    return gates.roll(shift, 0) if shift else gates


def _widen(weight: Tensor, gates: int, width: int, columns: int) -> Tensor:
    """Pad a weight, (gates * H, K), with zeros to (gates * width, columns); else do not copy it."""
    hidden = len(weight) // gates
    padding = (0, columns - weight.shape[1], 0, width - hidden)
    if not any(padding):
        return weight
    return F.pad(weight.unflatten(0, (gates, hidden)), padding).flatten(0, 1)


def _wide_weights(
    cell: Cell, weights: Sequence[Any], width: int, features: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Give input and recurrent weights of each direction, these with gates in the order of the slots."""
    inward = [_widen(w, cell.gates, width, features) for w in weights[::4]]
    wide = (_widen(w, cell.gates, width, width).view(cell.gates, width, width) for w in weights[1::4])
    return inward, [_roll(w, cell.shift).flatten(0, 1) for w in wide]


# A large tensor is made of fresh pages each time, and getting these can take a tenth of the time of
# a training step; so the work memory of finished layers waits here for the next ones.
_spare: list[Tensor] = []


def _take(cell: Cell, directions: int, rows: int, width: int, dtype: torch.dtype) -> _Work:
    units = directions * rows * width
    size = units * (cell.slots + cell.states) * dtype.itemsize
    try:
        memory = _spare.pop()
    except IndexError:
        memory = None
    if memory is None or memory.numel() < size:
        # A power of two soon fits every batch, and its untouched pages cost nothing.
        with torch.inference_mode(False):  # else no later training step could write to it
            memory = torch.empty(1 << (size - 1).bit_length(), dtype=torch.uint8, device="cpu")
    gates, prev = memory[:size].view(dtype).split([units * cell.slots, units * cell.states])
    return _Work(
        memory,
        gates.view(directions, rows, cell.slots, width),
        prev.view(cell.states, directions, rows, width),
    )


def _give_back(work: _Work) -> None:
    if len(_spare) < 4:  # as many layers as training usually has under way
        _spare.append(work.memory)
