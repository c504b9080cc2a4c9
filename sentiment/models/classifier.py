"""The smallest sequence classifier: packed recurrence → pooling → linear.

Shapes: B sequences in a batch, T steps of the longest, N steps of all (packed), F numbers a step,
D = H or 2H recurrent outputs, C classes.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from sentiment.models import recurrent
from sentiment.models.batches import positions
from sentiment.models.recurrent.checks import check_transforms, is_transformed
from sentiment.models.recurrent.pooling import middles, pool, unpack

CELLS = {"rnn": recurrent.RNN, "lstm": recurrent.LSTM, "gru": recurrent.GRU}
Pooling = Literal["last", "max", "mean", "attention", "middle"]
Pooled = dict[str, Tensor]  # by pooling


class SequenceClassifier(nn.Module):
    """Classify sequences of feature vectors, or of ids if there is an embedding.

    Parameters
    ----------
    input_size
        F, numbers in a step; with an embedding, in one of its vectors.
    hidden_size
        H, units of a direction.
    num_classes
        C, logits for each sequence.
    cell
        "rnn", "lstm" or "gru".
    num_layers
        Recurrent layers.
    bidirectional
        Whether it also reads from the end.
    pooling
        What the linear layer sees of a sequence: the "last" state (of both directions), the "max" or
        "mean" of its outputs, their mean weighed by "attention" (Yang et al. 2016), or the "middle" output.
        Of several, all of them.
    layer_dropout, output_dropout, weight_dropout
        Shares dropped in training: between recurrent layers, before the linear layer, and of the recurrent
        weights (Merity et al. 2018).
    embedding
        Takes ids to vectors, such as `torch.nn.Embedding`.

    Raises
    ------
    ValueError
        If a name is unknown.

    Examples
    --------
    >>> model = SequenceClassifier(input_size=10, hidden_size=20, num_classes=3, cell="gru")
    >>> model(torch.randn(5, 7, 10), lengths=torch.tensor([7, 2, 5, 1, 3])).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_classes: int,
        *,
        cell: str = "lstm",
        num_layers: int = 1,
        bidirectional: bool = False,
        pooling: Pooling | Sequence[Pooling] = "last",
        layer_dropout: float = 0.0,
        output_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        embedding: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.pooling = [pooling] if isinstance(pooling, str) else list(pooling)
        if isinstance(pooling, set | frozenset):
            raise ValueError(f"pooling = {pooling!r}: a set has no order; give a list")
        if not self.pooling or not set(self.pooling) <= set(get_args(Pooling)):
            raise ValueError(f"pooling = {pooling!r}: one or more of {', '.join(get_args(Pooling))}")
        if cell not in CELLS:
            raise ValueError(f"cell = {cell!r}: one of {', '.join(CELLS)}")
        self.input_size, self.bidirectional = input_size, bidirectional
        self.embedding = embedding
        self.recurrence = CELLS[cell](
            input_size, hidden_size, num_layers, bidirectional=bidirectional, dropout=layer_dropout
        )
        self.recurrence.weight_dropout = weight_dropout
        output_size = hidden_size * (2 if bidirectional else 1)  # D
        self.attention = Attention(output_size) if "attention" in self.pooling else None
        self.dropout = nn.Dropout(output_dropout)
        self.linear = nn.Linear(output_size * len(self.pooling), num_classes)

    def forward(
        self, inputs: PackedSequence | Tensor, lengths: Tensor | Sequence[int] | None = None
    ) -> Tensor:
        """Return logits (B, C), in the order in which the sequences are given.

        Parameters
        ----------
        inputs
            Padded (B, T, F), with an embedding ids (B, T); or packed. What pads is never read.
        lengths
            (B,) steps of each padded sequence, in any order; T by default.

        Raises
        ------
        ValueError
            If shapes or lengths disagree.
        """
        if torch._C._get_tracing_state() is not None and self.pooling != ["last"]:
            raise RuntimeError(
                f"torch.jit.trace would take the lengths of this batch for those of all, with pooling "
                f"{self.pooling}; use torch.compile, or pooling='last'"
            )
        if (
            isinstance(inputs, Tensor)
            and inputs.ndim > 1
            # There is nothing to pack, or what runs this cannot follow packed sequences.
            and (not inputs.shape[0] or (lengths is None and is_transformed()))
        ):
            check_lengths(lengths, *inputs.shape[:2])
            return self.decide(self._read_padded(inputs))
        check_transforms()
        return self.decide(self.read(self.embed(packed(inputs, lengths))))

    def embed(self, inputs: PackedSequence) -> PackedSequence:
        """Return packed vectors (N, F) for packed ids (N,), or check packed features (N, F)."""
        if self.embedding is not None:
            return inputs._replace(data=self.embedding(inputs.data))
        self._check_features(inputs.data, 2)
        return inputs

    def _check_features(self, features: Tensor, dimensions: int) -> None:
        if features.ndim != dimensions or features.shape[-1] != self.input_size:
            takes = f"({'steps' if dimensions == 2 else 'steps, batch'}, {self.input_size})"
            raise ValueError(f"features are {tuple(features.shape)}, but the model takes {takes}")

    def read(self, inputs: PackedSequence) -> Pooled:
        """Run the recurrence over packed vectors (N, F), and pool its outputs."""
        output, state = self.recurrence(PackedSequence(inputs.data, inputs.batch_sizes))  # (N, D)
        hidden = state[0] if isinstance(state, tuple) else state  # (layers · directions, B, H)
        pooled = self.pool(output, hidden)
        if inputs.unsorted_indices is None:
            return pooled
        return {name: values[inputs.unsorted_indices] for name, values in pooled.items()}

    def pool(self, output: PackedSequence, hidden: Tensor) -> Pooled:
        """Reduce the outputs of each sequence to (B, D) by each pooling, over its own steps only.

        With attention there is also ``share`` (B, 1), the logarithm of what its scores sum to. The order is
        that of packing.
        """
        pooled: Pooled = {}
        if {"max", "mean"} & set(self.pooling):
            pooled["max"], pooled["mean"] = pool(output)
        if "last" in self.pooling:
            pooled["last"] = torch.cat(list(hidden[-2 if self.bidirectional else -1 :]), 1)
        if "middle" in self.pooling:
            pooled["middle"] = output.data[middles(output.batch_sizes, output.data.device)]
        if self.attention is not None:
            slot, step = positions(output.batch_sizes, output.data.device)
            scores = unpack(self.attention(output.data), slot, step, output.batch_sizes, float("-inf"))
            weights = scores.softmax(1)[slot, step]  # (N, 1), 0 beyond the end of a sequence
            pooled["attention"] = unpack(weights * output.data, slot, step, output.batch_sizes, 0.0).sum(1)
            pooled["share"] = scores.logsumexp(1)
        return pooled

    def decide(self, pooled: Pooled) -> Tensor:
        """Return logits (B, C) for what was pooled."""
        joined = torch.cat([pooled[name] for name in self.pooling], 1)  # (B, D · poolings)
        logits: Tensor = self.linear(self.dropout(joined))
        return logits

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse `torch.jit.script`, which would complain about the types."""
        raise RuntimeError(
            "SequenceClassifier cannot be scripted; use torch.compile, or torch.jit.trace with pooling='last'"
        )

    def _read_padded(self, inputs: Tensor) -> Pooled:
        """Read sequences (B, T, …), all of T steps, by operations that can be exported and transformed."""
        steps = inputs.transpose(0, 1)
        if self.embedding is not None:
            steps = self.embedding(steps)
        self._check_features(steps, 3)
        output, state = self.recurrence(steps)  # (T, B, D)
        hidden = state[0] if isinstance(state, tuple) else state
        pooled = {
            "last": torch.cat(list(hidden[-2 if self.bidirectional else -1 :]), 1),
            "max": output.amax(0),
            "mean": output.mean(0),
            "middle": output[len(output) // 2],
        }
        if self.attention is not None:
            pooled["attention"] = (self.attention(output).softmax(0) * output).sum(0)
        return pooled


class Attention(nn.Module):
    """One score a step: v · tanh(W h) (Yang et al. 2016)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """Return (N, 1) for outputs (N, D)."""
        scores: Tensor = self.score(self.project(outputs).tanh())
        return scores


def packed(inputs: PackedSequence | Tensor, lengths: Tensor | Sequence[int] | None = None) -> PackedSequence:
    """Pack padded sequences (B, T, …); what is packed stays as it is.

    Raises
    ------
    ValueError
        If lengths are not (B,) whole numbers from 1 to T, or given for what is packed.
    """
    if isinstance(inputs, PackedSequence):
        if lengths is not None:
            raise ValueError("a PackedSequence has its lengths already; leave out lengths")
        return inputs
    if not isinstance(inputs, Tensor):
        raise ValueError(f"inputs are a {type(inputs).__name__}, not a tensor or a PackedSequence")
    if inputs.ndim < 2 or not inputs.shape[1]:
        raise ValueError(f"inputs are {tuple(inputs.shape)}, not sequences (B, T, …) of one step or more")
    batch, steps = inputs.shape[:2]
    if lengths is None:
        return PackedSequence(inputs.transpose(0, 1).flatten(0, 1), torch.full((steps,), batch))
    lengths = check_lengths(lengths, batch, steps)
    return pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)


def check_lengths(lengths: Tensor | Sequence[int] | None, batch: int, steps: int) -> Tensor:
    """Return lengths (B,) as int64 on the CPU, all T by default; ValueError as from `packed`."""
    if lengths is None:
        return torch.full((batch,), steps)
    lengths = torch.as_tensor(lengths).cpu()
    if lengths.shape != (batch,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(
            f"lengths are {tuple(lengths.shape)} of {lengths.dtype}, not {batch} whole numbers, one for each "
            "sequence"
        )
    lengths = lengths.long()
    wrong = ((lengths < 1) | (lengths > steps)).nonzero()[:, 0].tolist()
    if wrong:
        raise ValueError(
            f"the length of sequence {wrong[0]} is {int(lengths[wrong[0]])}, not from 1 to {steps}, "
            "the steps of inputs"
        )
    return lengths
