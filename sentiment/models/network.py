"""The classifier of a run: embedding or features → packed recurrence → pooling → linear.

Shapes: B sequences in a batch, read in W windows (one each, if they are not long), N steps of all windows
(packed), V types in the vocabulary, E numbers in an embedding, F in a feature vector, D = H or 2H recurrent
outputs, C classes or labels.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sentiment.core.sections.model import ModelConfig
from sentiment.data.sequences import Sequences
from sentiment.metrics.task import task as task_of
from sentiment.models import classifier
from sentiment.models.batches import in_order, positions
from sentiment.models.classifier import Pooled
from sentiment.models.heads import HEADS

INFERENCE_SIZE, INFERENCE_TOKENS = 256, 16_384  # texts and tokens in a batch that is only scored


class Network(classifier.SequenceClassifier):
    """The classifier of a run: texts as token ids, or feature vectors, as the settings say.

    Parameters
    ----------
    num_labels
        C, two or more.
    vocab_size, embedding_size
        V and E of a text model; leave out for feature vectors.
    input_size
        F of a model of feature vectors; leave out for text.
    vectors
        (V, E) initial embeddings; random if left out.
    task
        What a label is, see `sentiment.metrics.task` and `sentiment.models.heads`.

    Raises
    ------
    ValueError
        If sizes disagree.
    """

    embedding: "Embedding | None"

    def __init__(
        self,
        num_labels: int,
        config: ModelConfig,
        *,
        vocab_size: int | None = None,
        embedding_size: int | None = None,
        input_size: int | None = None,
        vectors: Tensor | None = None,
        task: str = "multiclass",
    ) -> None:
        if num_labels < 2:
            raise ValueError(f"num_labels = {num_labels}, and at least 2 are needed")
        if (vocab_size is None) == (input_size is None):
            raise ValueError(
                f"give vocab_size for token ids or input_size for features: "
                f"vocab_size = {vocab_size}, input_size = {input_size}"
            )
        embedding: Embedding | None = None
        if vocab_size is not None:
            if embedding_size is None:
                raise ValueError(f"vocab_size = {vocab_size} needs an embedding_size, not None")
            if vectors is not None and tuple(vectors.shape) != (vocab_size, embedding_size):
                raise ValueError(
                    f"vectors are {tuple(vectors.shape)}, but vocab_size and embedding_size are "
                    f"{(vocab_size, embedding_size)}"
                )
            embedding = Embedding(vocab_size, embedding_size, config, vectors)
            input_size = embedding_size
        elif embedding_size is not None or vectors is not None:
            raise ValueError(
                f"input_size = {input_size} is for features, which have no embedding_size or vectors"
            )
        assert input_size is not None
        super().__init__(
            input_size,
            config.hidden_size,
            task_of(task).outputs(num_labels),
            cell=config.kind,
            num_layers=config.layers,
            bidirectional=config.bidirectional,
            pooling=config.pooling,
            layer_dropout=config.layer_dropout,
            output_dropout=config.output_dropout,
            weight_dropout=config.weight_dropout,
            embedding=embedding,
        )
        self.config, self.num_labels, self.task, self.head = config, num_labels, task, HEADS[task]

    def forward(
        self,
        inputs: PackedSequence | Tensor,
        lengths: Tensor | Sequence[int] | None = None,
        counts: Tensor | None = None,
    ) -> Tensor:
        """Return logits (B, C) as the smallest classifier does, or of texts that are read in windows.

        With (B,) counts, the first counts[0] sequences are the windows of the first text, and so on.
        """
        if counts is None:
            return super().forward(inputs, lengths)
        return self.classify(self.embed(classifier.packed(inputs, lengths)), counts)

    def embed(self, inputs: PackedSequence) -> PackedSequence:
        """Return packed vectors (N, E) for packed ids (N,), or check packed features (N, F)."""
        if self.embedding is None:
            return super().embed(inputs)
        return inputs._replace(data=self.embedding(inputs))

    def _read_padded(self, inputs: Tensor) -> Pooled:
        if self.embedding is not None and self.training:
            raise RuntimeError("the dropouts of a text model need packed sequences; call eval() first")
        return super()._read_padded(inputs)

    def classify(self, inputs: PackedSequence, counts: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for packed vectors (N, E): all that comes after the embedding."""
        return self.decide(self.read(inputs), counts)

    def decide(self, pooled: Pooled, counts: Tensor | None = None) -> Tensor:
        """Return logits (B, C) for what was pooled: of windows if there are counts (B,) of them."""
        if counts is not None:
            pooled = merge(pooled, counts, self.config.hidden_size)
        return self.head.linked(super().decide(pooled))

    @torch.no_grad()
    def begin(self, labels: NDArray[np.int64]) -> None:
        """Let the biases of the last layer begin with the frequencies of labels, if the task wants it."""
        biases = self.head.biases(labels, self.num_labels)
        if biases is not None:
            self.linear.bias.copy_(biases)


def merge(pooled: Pooled, counts: Tensor, hidden_size: int) -> Pooled:
    """Reduce what was pooled of the windows (W, D) of each text to (B, D).

    It is what pooling the outputs of all windows at once would give; a token that two windows share has
    two outputs. The last state is that of the last window, and from the end that of the first. The windows of
    one text, (B,) counts of them, are equally long; a direction has H units.
    """
    merged = {}
    ends = counts.cumsum(0)
    for name, values in pooled.items():
        if name == "max":
            # Windows that end alike have equal outputs there. The gradient of segment_reduce's maximum goes
            # to each of them in full where it is negative (seen in torch 2.13); here they share it.
            text = torch.arange(len(counts), device=counts.device).repeat_interleave(counts)
            lowest = values.new_full((len(counts), values.shape[1]), float("-inf"))
            merged[name] = lowest.scatter_reduce(0, text[:, None].expand_as(values), values, "amax")
        elif name == "mean":
            merged[name] = torch.segment_reduce(values, "mean", lengths=counts)
        elif name == "last":
            forward, backward = values[ends - 1, :hidden_size], values[ends - counts, hidden_size:]
            merged[name] = torch.cat([forward, backward], 1)
        elif name == "attention":
            shares = pooled["share"]  # (W, 1)
            highest = torch.segment_reduce(shares.detach(), "max", lengths=counts)
            weights = (shares - highest.repeat_interleave(counts, 0)).exp()
            total = torch.segment_reduce(weights * values, "sum", lengths=counts)
            merged[name] = total / torch.segment_reduce(weights, "sum", lengths=counts)
    return merged


class Embedding(nn.Embedding):
    """Token vectors with three kinds of dropout: of word types, single numbers and dimensions."""

    def __init__(self, vocab_size: int, size: int, config: ModelConfig, vectors: Tensor | None) -> None:
        super().__init__(vocab_size, size)
        self.config = config
        with torch.no_grad():
            self.weight.copy_(vectors) if vectors is not None else self.weight.normal_(0, 0.1)

    def forward(self, inputs: PackedSequence) -> Tensor:  # type: ignore[override]
        """Return (N, E)."""
        data = super().forward(inputs.data)
        shares = self.config.embedding_dropout, self.config.word_dropout, self.config.spatial_dropout
        if not self.training or not any(shares):
            return data
        keep = random_keep(data, shares[0])  # (N, E)
        scale = data.new_full((1, 1), 1 / math.prod(1 - share for share in shares))
        if shares[1]:  # a type is dropped everywhere at once (Gal and Ghahramani 2016)
            types = random_keep(data.new_empty(self.num_embeddings, 1), shares[1])
            scale = torch.where(types, scale, 0)[inputs.data]  # (N, 1)
        if shares[2]:  # a dimension is dropped at all steps of a text
            slot, _ = positions(inputs.batch_sizes, data.device)
            texts = data.new_empty(int(inputs.batch_sizes[0]), data.shape[1])
            keep &= random_keep(texts, shares[2])[slot]
        return data * torch.where(keep, scale, 0)


def random_keep(like: Tensor, share: float) -> Tensor:
    """Return for each number of a tensor whether it is kept; about `share` of them are not."""
    if like.device.type != "cpu":
        return torch.rand_like(like) >= share
    # A CPU draws number by number, for a tenth of a training step; here four share 64 random bits.
    count = like.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return bits.view(torch.int16)[:count].view_as(like) >= round(share * 2**16) - 2**15


def count_parameters(model: nn.Module) -> int:
    """Return the number of trained numbers in a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def infer(model: Network, sequences: Sequences, device: torch.device) -> NDArray[np.float64]:
    """Return the logits (B, C) of all sequences, in their order.

    Always in float32: a text has the same logits on every device, and in every company.
    """
    model.eval()
    logits = torch.empty(len(sequences), model.num_labels)
    deterministic = torch.backends.cudnn.deterministic
    with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False, deterministic=deterministic):
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
