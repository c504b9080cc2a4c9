"""Forward passes in bounded memory: of whole corpora, and of very long texts."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from sentiment.data.sequences import Sequences
from sentiment.models.batches import in_order
from sentiment.models.classifier import Pooled
from sentiment.models.network import Network

INFERENCE_SIZE, INFERENCE_TOKENS = 256, 16_384  # texts and tokens in a batch that is only scored


def infer(model: Network, sequences: Sequences, device: torch.device) -> NDArray[np.float64]:
    """Return the logits (B, C) of all sequences, in their order.

    Always in float32: a text has the same logits on every device, and in every company.
    """
    model.eval()
    logits = torch.empty(len(sequences), model.num_labels)
    deterministic = torch.backends.cudnn.deterministic
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(allow_tf32=False, deterministic=deterministic),
    ):
        for batch in in_order(sequences, INFERENCE_SIZE, INFERENCE_TOKENS, device):
            parts = [model.read(model.embed(part)) for part in in_parts(batch.inputs, INFERENCE_TOKENS)]
            logits[batch.rows] = model.decide(joined(parts), batch.counts).float().cpu()
    return logits.double().numpy()


def in_parts(inputs: PackedSequence, most: int) -> Iterator[PackedSequence]:
    """Cut a batch of more than `most` steps, which is of one text, into windows that are fewer together.

    What is pooled of them all is small; so the memory that a text takes has a bound, however long it is.
    """
    data, sizes = inputs.data, inputs.batch_sizes
    windows, length = int(sizes[0]), len(sizes)
    size = max(1, most // length)
    if size >= windows:
        yield inputs
        return
    steps = data.view(length, windows, *data.shape[1:])
    if inputs.unsorted_indices is not None:  # they are equally long, so that any order is one of packing
        steps = steps[:, inputs.unsorted_indices]
    for part in torch.split(steps, size, 1):
        yield PackedSequence(part.flatten(0, 1), torch.full_like(sizes, part.shape[1]))


def joined(parts: list[Pooled]) -> Pooled:
    """Put together what was pooled of the parts of a batch."""
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def reread(model: Network, inputs: PackedSequence) -> Pooled:
    """Do what `SequenceClassifier.read` does, again for the gradients: until then nothing stays in memory.

    The gradients are those of the inputs; parameters get none. They are of the first order; RuntimeError if
    others are asked for.
    """
    names: list[str] = []
    values = _Reread.apply(model, names, inputs.batch_sizes, inputs.data)  # type: ignore[no-untyped-call]
    if inputs.unsorted_indices is not None:
        values = [value[inputs.unsorted_indices] for value in values]
    return dict(zip(names, values, strict=True))


class _Reread(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, model: Network, names: list[str], sizes: Tensor, data: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.model, ctx.sizes = model, sizes
        ctx.save_for_backward(data)
        pooled = model.read(PackedSequence(data, sizes))
        names.extend(pooled)
        return tuple(pooled.values())

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError("reread has no second derivatives; use SequenceClassifier.read for them")
        data = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            pooled = ctx.model.read(PackedSequence(data, ctx.sizes))
        return None, None, None, torch.autograd.grad(tuple(pooled.values()), data, gradients)[0]
