"""What may be read as bare memory, and what must go through torch's own operations."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad


def _keys_of_plain(inference: bool) -> torch._C.DispatchKeySet:
    with torch.inference_mode(inference):
        return torch._C._dispatch_keys(torch.empty(0, device="cpu"))


_PLAIN = (_keys_of_plain(False), _keys_of_plain(True))


def is_eager() -> bool:
    """Say whether torch runs now, operation by operation, with at most first derivatives backward.

    It does not where it traces, compiles or casts, and under `torch.func` and forward-mode derivatives.
    """
    return not (
        torch.compiler.is_compiling()
        or torch._C._get_tracing_state() is not None
        or torch.is_autocast_enabled("cpu")
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    )


def check_transforms() -> None:
    """Raise RuntimeError for packed sequences where the layers of `torch.nn` fail too, but do not say why.

    It is under a transform of `torch.func`, and in `torch.export`.
    """
    if torch._C._are_functorch_transforms_active():
        raise RuntimeError(
            "torch.func cannot read the sizes of a packed sequence; take derivatives with torch.autograd "
            "(create_graph, forward_ad, is_grads_batched), or give padded sequences of one length, without "
            "lengths"
        )
    if is_exporting():
        raise RuntimeError(
            "torch.export cannot read the sizes of a packed sequence; give padded sequences of one length, "
            "without lengths, or use torch.compile or torch.onnx.export(dynamo=False)"
        )


def is_transformed() -> bool:
    """Say whether `torch.func` or `torch.export` runs this, which cannot follow packed sequences."""
    return torch._C._are_functorch_transforms_active() or is_exporting()


def is_exporting() -> bool:
    """Say whether `torch.export` runs this; False before torch 2.7, which does not tell."""
    return bool(getattr(torch.compiler, "is_exporting", bool)())


def are_plain(tensors: Iterable[object], dtype: torch.dtype) -> bool:
    """Say whether all are ordinary tensors of a dtype on the CPU, whose memory holds their values.

    Others (sparse, fake, batched, negated, zeros without memory, on another device) differ in their dispatch
    keys.
    """
    return all(
        isinstance(tensor, Tensor)
        and type(tensor) in (Tensor, nn.Parameter)
        and tensor.dtype == dtype
        and torch._C._dispatch_keys(tensor) in _PLAIN
        for tensor in tensors
    )


def check_sizes(batch_sizes: Tensor, rows: int) -> Tensor:
    """Return a copy, which nobody else can change, of the sizes (T,) of a `PackedSequence` of N rows.

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
    batch_sizes = batch_sizes.detach().clone(memory_format=torch.contiguous_format)
    sizes = batch_sizes.numpy()
    bounded = len(sizes) and sizes[-1] >= 1 and sizes[0] <= rows  # so that the sum cannot overflow
    if not bounded or (sizes[1:] > sizes[:-1]).any() or sizes.sum() != rows:
        shown = ", ".join(map(str, sizes[:8].tolist())) + (", …" if len(sizes) > 8 else "")
        raise RuntimeError(
            f"batch_sizes of a PackedSequence must be positive, never grow, and add up to its {rows} rows, "
            f"not be [{shown}]; torch.nn.utils.rnn.pack_sequence makes them"
        )
    return batch_sizes
