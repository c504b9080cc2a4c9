"""Maximum, mean and middle output of each packed sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.models.batches import positions
from sentiment.models.recurrent import native
from sentiment.models.recurrent.checks import are_plain, check_sizes, is_eager


def pool(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """Reduce packed rows (N, D) to the maximum and the mean (B, D) of each sequence, in the order of packing.

    A packed sequence that is not consistent raises RuntimeError.
    """
    data, sizes = packed.data, packed.batch_sizes
    fits = len(data) < 2**31 and is_eager() and are_plain((data,), torch.float32)
    if fits and native.load() is not None:
        largest, mean = _Pool.apply(data, check_sizes(sizes, len(data)))
        return largest, mean
    slot, step = positions(sizes, data.device)
    largest = unpack(data, slot, step, sizes, float("-inf")).amax(1)
    total = unpack(data, slot, step, sizes, 0.0).sum(1)
    return largest, total / slot.bincount().to(data.dtype)[:, None]


def middles(batch_sizes: Tensor, device: torch.device) -> Tensor:
    """Return the packed row of the middle step of each sequence, (B,); of two, the later."""
    sizes = batch_sizes.to(device, non_blocking=True)
    slot, _ = positions(batch_sizes, device)
    lengths = slot.bincount()
    return (sizes.cumsum(0) - sizes)[lengths // 2] + torch.arange(len(lengths), device=device)


def unpack(data: Tensor, slot: Tensor, step: Tensor, batch_sizes: Tensor, fill: float) -> Tensor:
    """Lay packed data (N, D) out as (B, T, D) by one scatter, whose backward is one gather.

    `torch.nn.utils.rnn.pad_packed_sequence` copies slice by slice, and its backward clones the
    whole gradient for each.
    """
    size, steps = int(batch_sizes[0]), len(batch_sizes)
    padded = data.new_full((size * steps, data.shape[1]), fill)
    return padded.index_copy(0, slot * steps + step, data).view(size, steps, -1)


class _Pool(torch.autograd.Function):
    """`pool` in one pass over the rows, without laying them out."""

    @staticmethod
    def forward(ctx: Any, data: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
        library = native.load()
        assert library is not None
        ctx.sizes, ctx.rows = sizes, len(data)
        largest, mean, ctx.where = library.pool(data.contiguous(), sizes)
        return largest, mean

    @staticmethod
    def backward(ctx: Any, d_largest: Tensor, d_mean: Tensor) -> tuple[Tensor, None]:
        if torch.is_grad_enabled() or not are_plain((d_largest, d_mean), torch.float32):
            slot, _ = positions(ctx.sizes, d_mean.device)  # operations that have derivatives
            shares = (d_mean / slot.bincount().to(d_mean.dtype)[:, None])[slot]
            return shares.scatter_add(0, ctx.where.long(), d_largest), None
        library = native.load()
        assert library is not None
        return library.unpool(d_largest, d_mean, ctx.where, ctx.sizes, ctx.rows), None
