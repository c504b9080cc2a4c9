"""What may be read as bare memory, and what must go through torch's own operations."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def is_eager() -> bool:
    """Say whether torch runs now, operation by operation, with at most first derivatives backward.

    Not so where it traces, compiles or casts, and under `torch.func` and forward-mode derivatives.
    """
    return not (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def are_plain(tensors: Iterable[object], dtype: torch.dtype) -> bool:
    """Say whether all are ordinary tensors of a dtype on the CPU, whose memory holds their values."""
    return all(
        isinstance(tensor, Tensor)
        and type(tensor) in (Tensor, nn.Parameter)  # no fake, distributed or other wrapper
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
        and tensor.dtype == dtype
        and not torch._C._functorch.is_legacy_batchedtensor(tensor)  # of is_grads_batched
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
        and not tensor.is_neg()
        for tensor in tensors
    )


def check_sizes(batch_sizes: Tensor, rows: int) -> Tensor:
    """Check that packed rows have as many sequences at each step as `batch_sizes` says.

    Parameters
    ----------
    batch_sizes
        (T,) of a `PackedSequence`.
    rows
        N, its rows.

    Returns
    -------
    Tensor
        The sizes, contiguous.

    Raises
    ------
    RuntimeError
        If they are not int64 on the CPU, grow, are not positive, or do not add up to N.
    """
    if batch_sizes.dtype != torch.int64 or batch_sizes.device.type != "cpu" or batch_sizes.dim() != 1:
        raise RuntimeError(
            "batch_sizes of a PackedSequence must be one row of int64 on the CPU, not "
            f"{batch_sizes.dim()} dimensions of {batch_sizes.dtype} on {batch_sizes.device}"
        )
    sizes = batch_sizes.numpy()
    if not len(sizes) or sizes[-1] < 1 or (sizes[1:] > sizes[:-1]).any() or sizes.sum() != rows:
        shown = ", ".join(map(str, sizes[:8].tolist())) + (", …" if len(sizes) > 8 else "")
        raise RuntimeError(
            f"batch_sizes of a PackedSequence must be positive, never grow, and add up to its {rows} rows, "
            f"not be [{shown}] with sum {sizes.sum()}; torch.nn.utils.rnn.pack_sequence makes them"
        )
    return batch_sizes.contiguous()
