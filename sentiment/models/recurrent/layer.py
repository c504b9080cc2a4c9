"""One recurrent layer over packed sequences, both directions, as a function with derivatives.

`steps` gives the first derivative. Derivatives of gradients, and batches of gradients, come from torch's own
operations, in time quadratic in the length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from sentiment.models.recurrent.checks import are_plain
from sentiment.models.recurrent.steps import Cell, Pass, Steps


class Work(NamedTuple):
    """What the forward pass of a layer leaves for its backward pass.

    `width` is hidden_size, rounded up to whole vectors for the C. The weights of the units that fill up are
    zero, and so their states and gradients stay zero.
    """

    memory: Tensor  # what the other two lie in
    gates: Tensor  # (D, N, slots, width): activations
    prev: Tensor  # (S, D, N, width): the states before each row


class Memory:
    """Work memory of finished passes, kept for the next ones.

    Each large tensor gets fresh pages from the system, which can take a tenth of a training step.
    """

    MOST = 4  # as many layers as training usually has under way

    def __init__(self) -> None:
        self.spare: list[Tensor] = []

    def take(self, cell: Cell, directions: int, rows: int, width: int, dtype: torch.dtype) -> Work:
        """Return memory for a pass over `rows` packed rows."""
        units = directions * rows * width
        size = units * (cell.slots + cell.states) * dtype.itemsize
        try:
            memory = self.spare.pop()
        except IndexError:
            memory = None
        if memory is None or memory.numel() < size:
            # A power of two soon fits every batch, and its untouched pages cost nothing.
            with torch.inference_mode(False):  # else no later training step could write to it
                memory = torch.empty(1 << (size - 1).bit_length(), dtype=torch.uint8, device="cpu")
        gates, prev = memory[:size].view(dtype).split([units * cell.slots, units * cell.states])
        return Work(
            memory,
            gates.view(directions, rows, cell.slots, width),
            prev.view(cell.states, directions, rows, width),
        )

    def give_back(self, work: Work) -> None:
        """Take memory back that is no longer in use."""
        if len(self.spare) < self.MOST:
            self.spare.append(work.memory)


class Plan(NamedTuple):
    """How a layer runs over a batch: by which steps, in which memory, with which cell, on which sizes."""

    steps: Steps
    memory: Memory
    cell: Cell
    sizes: Tensor  # (T,) sequences alive at each step


class Recurrence(torch.autograd.Function):
    """One layer: data (N, E), initial states (S, D, B, H) -> data (N, D * H), final states."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, data: Tensor, hx: Tensor, *weights: Any) -> tuple[Tensor, Tensor]:
        out, final, ctx.work = forward(plan, data, hx, *weights)
        ctx.plan, ctx.dtype = plan, data.dtype
        ctx.save_for_backward(data, hx, *weights)
        return out, final

    @staticmethod
    def backward(ctx: Any, d_out: Tensor, d_final: Tensor) -> tuple[Tensor | None, ...]:
        plan, (data, hx, *weights) = ctx.plan, ctx.saved_tensors  # which hooks may have changed
        tensors = [t for t in (data, hx, *weights, d_out, d_final) if t is not None]
        if any(tensor.dtype != ctx.dtype for tensor in tensors):
            dtypes = ", ".join(sorted({str(tensor.dtype) for tensor in tensors}))
            raise RuntimeError(
                f"a layer of {ctx.dtype} got saved tensors or gradients of {dtypes}; hooks have to give back "
                "what they were given"
            )
        if torch.is_grad_enabled() or not are_plain(tensors, ctx.dtype):
            needed = ctx.needs_input_grad[1:]
            return None, *_differentiable(plan, [data, hx, *weights], needed, (d_out, d_final))
        # Gradients overwrite the activations; a second pass through a retained graph is rare
        # enough to compute them again.
        work = ctx.work or forward(plan, data, hx, *weights)[2]
        ctx.work = None
        d_data, d_hx, d_weights = _backward(
            plan, data, weights, work, d_out, d_final, needs_data=ctx.needs_input_grad[1]
        )
        plan.memory.give_back(work)
        return None, d_data, d_hx, *d_weights


def forward(plan: Plan, data: Tensor, hx: Tensor, *weights: Any) -> tuple[Tensor, Tensor, Work]:
    """Run one layer; `weights` are w_ih, w_hh, b_ih, b_hh of each direction, biases may be None."""
    steps, memory, cell, sizes = plan
    (_, directions, _, hidden), rows = hx.shape, len(data)
    width = _width(hidden, steps.lanes)
    work = memory.take(cell, directions, rows, width, data.dtype)
    bias = data.new_zeros(directions, cell.slots, width)
    for d, (b_ih, b_hh) in enumerate(zip(weights[2::4], weights[3::4], strict=True)):
        if b_ih is not None:
            bias[d, cell.shift :, :hidden] += b_ih.reshape(-1, hidden)
            bias[d, : cell.gates, :hidden] += _roll(b_hh.reshape(-1, hidden), cell.shift)
    state = _pad(hx, width)
    # What is returned is no view, so that it may be changed in place as torch's may.
    out = data.new_empty(rows, directions * hidden)
    inward, recurrent = _wide_weights(cell, weights, width, data.shape[1])
    shaped = out.view(rows, directions, hidden)
    steps.forward(Pass(cell, sizes, data, work.gates, work.prev, state, inward, recurrent, bias, shaped))
    return out, state[..., :hidden].clone(), work


def _backward(
    plan: Plan,
    data: Tensor,
    weights: Sequence[Any],
    work: Work,
    d_out: Tensor,
    d_final: Tensor,
    needs_data: bool,
) -> tuple[Tensor | None, Tensor, list[Tensor | None]]:
    """Return the gradients of data, initial states and weights; overwrites the activations.

    No two of them share memory, as torch uses them as the ``grad`` of the parameters without a copy, and
    changes these in place.
    """
    steps, _, cell, sizes = plan
    (_, directions, _, hidden), (rows, features) = d_final.shape, data.shape
    width = _width(hidden, steps.lanes)
    d_state = _pad(d_final, width)
    d_out = d_out.contiguous().view(rows, directions, hidden)
    inward, recurrent = _wide_weights(cell, weights, width, features)
    d_bias = data.new_zeros(directions, cell.slots, width)
    d_data, d_inward, d_recurrent = steps.backward(
        Pass(cell, sizes, data, work.gates, work.prev, d_state, inward, recurrent, d_bias, d_out), needs_data
    )
    d_weights: list[Tensor | None] = []
    for d in range(directions):
        d_ih, d_hh = (
            matrices[d].unflatten(0, (cell.gates, width))[:, :hidden] for matrices in (d_inward, d_recurrent)
        )
        d_hh = _roll(d_hh[..., :hidden], -cell.shift)
        d_weights += [d_ih.reshape(-1, features), d_hh.reshape(-1, hidden)]
        if weights[4 * d + 2] is None:
            d_weights += [None, None]
        else:
            d_b_ih, d_b_hh = d_bias[d, cell.shift :, :hidden], d_bias[d, : cell.gates, :hidden]
            d_weights += [d_b_ih.clone().flatten(), _roll(d_b_hh, -cell.shift).clone().flatten()]
    return d_data, d_state[..., :hidden], d_weights


def _differentiable(
    plan: Plan, inputs: Sequence[Any], needed: Sequence[bool], gradients: Sequence[Tensor]
) -> list[Tensor | None]:
    """Return differentiable gradients of the inputs (data, initial states, weights) that need one."""
    cell = plan.cell
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad():
        # Aliases, so that each gradient ends at its input, also where one input was made of another.
        inputs = [None if tensor is None else tensor.view_as(tensor) for tensor in inputs]
        data, hx, *weights = inputs
        states = tuple(hx.unbind()) if cell.states == 2 else hx[0]
        directions, flat = hx.shape[1], [weight for weight in weights if weight is not None]
        out, *final = getattr(torch._VF, cell.name)(
            data, plan.sizes, states, flat, len(flat) == 4 * directions, 1, 0.0, False, directions == 2
        )
        wanted = [tensor for tensor, need in zip(inputs, needed, strict=True) if need]
        computed = iter(
            torch.autograd.grad((out, torch.stack(final)), wanted, gradients, create_graph=create_graph)
        )
    return [next(computed) if need else None for need in needed]


def _width(hidden: int, lanes: int) -> int:
    return -(-hidden // lanes) * lanes


def _pad(states: Tensor, width: int) -> Tensor:
    """Copy states (S, D, B, H) to (S, D, B, width)."""
    padded = states.new_zeros(*states.shape[:-1], width)
    padded[..., : states.shape[-1]] = states
    return padded


def _roll(gates: Tensor, shift: int) -> Tensor:
    """Bring the gates from torch's order to that of the slots, or back."""
    return gates.roll(shift, 0) if shift else gates


def _widen(weight: Tensor, gates: int, width: int, columns: int) -> Tensor:
    """Pad a weight, (gates * H, K), with zeros to (gates * width, columns); else do not copy it."""
    hidden = len(weight) // gates
    padding = (0, columns - weight.shape[1], 0, width - hidden)
    if not any(padding):
        return weight.contiguous()
    return F.pad(weight.unflatten(0, (gates, hidden)), padding).flatten(0, 1)


def _wide_weights(
    cell: Cell, weights: Sequence[Any], width: int, features: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Return the padded input and recurrent weights of each direction, gates of the latter as the slots."""
    inward = [_widen(w, cell.gates, width, features) for w in weights[::4]]
    wide = (_widen(w, cell.gates, width, width).view(cell.gates, width, width) for w in weights[1::4])
    return inward, [_roll(w, cell.shift).flatten(0, 1) for w in wide]
