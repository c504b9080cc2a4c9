"""The classifier: embedding or features → packed recurrence → pooling → linear.

Shapes: B sequences in a batch, T steps of the longest, N steps of all (packed), V types in the
vocabulary, E numbers in an embedding, F in a feature vector, D = H or 2H recurrent outputs, C classes.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sentiment import recurrent
from sentiment.batches import in_order, positions
from sentiment.config import ModelConfig
from sentiment.recurrent.pooling import middles, pool, unpack
from sentiment.sequences import Sequences

CELLS = {"rnn": recurrent.RNN, "lstm": recurrent.LSTM, "gru": recurrent.GRU}
INFERENCE_SIZE, INFERENCE_TOKENS = 256, 16_384  # texts and tokens in a batch that is only scored


class SequenceClassifier(nn.Module):
    """Classify sequences of token ids, or of feature vectors.

    Parameters
    ----------
    num_labels
        C, two or more.
    config
        Sizes, pooling and dropouts.
    vocab_size, embedding_size
        V and E of a text model; leave out for feature vectors.
    input_size
        F of a model of feature vectors; leave out for text.
    vectors
        (V, E) initial embeddings; random if left out.

    Raises
    ------
    ValueError
        If sizes disagree.
    """

    def __init__(
        self,
        num_labels: int,
        config: ModelConfig,
        *,
        vocab_size: int | None = None,
        embedding_size: int | None = None,
        input_size: int | None = None,
        vectors: Tensor | None = None,
    ) -> None:
        super().__init__()
        if num_labels < 2:
            raise ValueError(f"num_labels = {num_labels}, and at least 2 are needed")
        self.config = config
        self.embedding: Embedding | None = None
        if (vocab_size is None) == (input_size is None):
            raise ValueError(
                f"give vocab_size for token ids or input_size for features: "
                f"vocab_size = {vocab_size}, input_size = {input_size}"
            )
        if vocab_size is not None:
            if embedding_size is None:
                raise ValueError(f"vocab_size = {vocab_size} needs an embedding_size, not None")
            if vectors is not None and tuple(vectors.shape) != (vocab_size, embedding_size):
                raise ValueError(
                    f"vectors are {tuple(vectors.shape)}, but vocab_size and embedding_size are "
                    f"{(vocab_size, embedding_size)}"
                )
            self.embedding = Embedding(vocab_size, embedding_size, config, vectors)
            input_size = embedding_size
        elif embedding_size is not None or vectors is not None:
            raise ValueError(
                f"input_size = {input_size} is for features, which have no embedding_size or vectors"
            )
        assert input_size is not None
        self.input_size = input_size
        self.recurrence = CELLS[config.kind](
            input_size,
            config.hidden_size,
            config.layers,
            bidirectional=config.bidirectional,
            dropout=config.layer_dropout,
        )
        self.recurrence.weight_dropout = config.weight_dropout
        output_size = config.hidden_size * (2 if config.bidirectional else 1)  # D
        self.attention = Attention(output_size) if "attention" in config.pooling else None
        self.dropout = nn.Dropout(config.output_dropout)
        self.linear = nn.Linear(output_size * len(config.pooling), num_labels)

    def forward(self, inputs: PackedSequence) -> Tensor:
        """Return logits (B, C) for packed ids (N,) or features (N, F), in the order of packing."""
        if self.embedding is not None:
            data = self.embedding(inputs)  # (N, E)
        else:
            data = inputs.data  # (N, F)
            if data.ndim != 2 or data.shape[1] != self.input_size:
                raise ValueError(
                    f"features are {tuple(data.shape)}, but the model takes (steps, {self.input_size})"
                )
        return self.classify(PackedSequence(data, inputs.batch_sizes))

    def classify(self, inputs: PackedSequence) -> Tensor:
        """Return logits (B, C) for packed vectors (N, E): all that comes after the embedding."""
        output, state = self.recurrence(inputs)  # (N, D)
        hidden = state[0] if isinstance(state, tuple) else state  # (layers · directions, B, H)
        logits: Tensor = self.linear(self.dropout(self.pool(output, hidden)))  # (B, C)
        return logits

    def pool(self, output: PackedSequence, hidden: Tensor) -> Tensor:
        """Reduce the outputs of each sequence to (B, D · poolings), over its own steps only."""
        found: dict[str, Tensor] = {}
        if {"max", "mean"} & set(self.config.pooling):
            found["max"], found["mean"] = pool(output)
        if "last" in self.config.pooling:
            directions = 2 if self.config.bidirectional else 1
            found["last"] = torch.cat(list(hidden[-directions:]), 1)
        if "middle" in self.config.pooling:
            found["middle"] = output.data[middles(output.batch_sizes, output.data.device)]
        if self.attention is not None:
            slot, step = positions(output.batch_sizes, output.data.device)
            scores = unpack(self.attention(output.data), slot, step, output.batch_sizes, float("-inf"))
            weights = scores.softmax(1)[slot, step]  # (N, 1), 0 beyond the end of a sequence
            found["attention"] = unpack(weights * output.data, slot, step, output.batch_sizes, 0.0).sum(1)
        return torch.cat([found[name] for name in self.config.pooling], 1)


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
        kept = random_keep(data, shares[0])  # (N, E)
        scale = data.new_full((1, 1), 1 / math.prod(1 - share for share in shares))
        if shares[1]:  # a type is dropped everywhere at once (Gal and Ghahramani 2016)
            types = random_keep(data.new_empty(self.num_embeddings, 1), shares[1])
            scale = torch.where(types, scale, 0)[inputs.data]  # (N, 1)
        if shares[2]:  # a dimension is dropped at all steps of a text
            slot, _ = positions(inputs.batch_sizes, data.device)
            texts = data.new_empty(int(inputs.batch_sizes[0]), data.shape[1])
            kept &= random_keep(texts, shares[2])[slot]
        return data * torch.where(kept, scale, 0)


def random_keep(like: Tensor, share: float) -> Tensor:
    """Return for each number of a tensor whether it is kept; about `share` of them are not."""
    if like.device.type != "cpu":
        return torch.rand_like(like) >= share
    # A CPU draws number by number, for a tenth of a training step; here four share 64 random bits.
    count = like.numel()
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None)
    return bits.view(torch.int16)[:count].view_as(like) >= round(share * 2**16) - 2**15


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


def count_parameters(model: nn.Module) -> int:
    """Number of trained numbers in a model."""
    return sum(parameter.numel() for parameter in model.parameters())


def infer(model: SequenceClassifier, sequences: Sequences, device: torch.device) -> NDArray[np.float64]:
    """Return the probabilities (B, C) of all sequences, in their order.

    Always in float32: a text has the same probabilities on every device, and in every company.
    """
    model.eval()
    logits = torch.empty(len(sequences), model.linear.out_features)
    deterministic = torch.backends.cudnn.deterministic
    with (
        torch.inference_mode(),
        torch.backends.cudnn.flags(allow_tf32=False, deterministic=deterministic),
    ):
        for batch in in_order(sequences, INFERENCE_SIZE, INFERENCE_TOKENS, device):
            logits[batch.rows] = model(batch.inputs).float().cpu()
    return logits.double().softmax(1).numpy()
