"""The recurrent layers on a CPU."""

from functools import cached_property
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from benchmark_parts.measuring import (
    CPU,
    Context,
    E,
    H,
    Lengths,
    Row,
    Times,
    log,
    lstm_flops,
    matmul_peak,
    median,
    race,
    ratio,
    row,
    speeds,
)
from sentiment.models import recurrent
from sentiment.models.recurrent import native
from sentiment.models.recurrent.pooling import pool


class Layers:
    """One BiLSTM three times with the same weights and inputs; each method trains on all batches.

    The loss is the sum of a max-pool over time; gradients go to inputs and weights.
    """

    def __init__(self, batches: list[Lengths]) -> None:
        torch.manual_seed(0)
        self.mine = recurrent.LSTM(E, H, bidirectional=True)
        self.theirs = nn.LSTM(E, H, bidirectional=True, batch_first=True)
        self.theirs_time_major = nn.LSTM(E, H, bidirectional=True)
        for other in (self.theirs, self.theirs_time_major):
            other.load_state_dict(self.mine.state_dict())
        self.lengths = [torch.from_numpy(lengths) for lengths in batches]
        self.inputs = [torch.randn(len(x), int(x.max()), E, requires_grad=True) for x in self.lengths]
        packs = [
            pack_padded_sequence(x.detach(), n, batch_first=True)
            for x, n in zip(self.inputs, self.lengths, strict=True)
        ]
        self.packs = [PackedSequence(p.data.requires_grad_(), p.batch_sizes) for p in packs]
        self.tokens = sum(len(p.data) for p in packs)
        with torch.no_grad():
            mine, theirs = self._mine(self.packs[0]), self._packed(self.inputs[0], self.lengths[0])
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)

    @cached_property
    def time_major(self) -> list[Tensor]:
        """The inputs as (T, B, E)."""
        return [x.detach().transpose(0, 1).contiguous().requires_grad_() for x in self.inputs]

    def ours(self) -> None:
        """Our layer, and our pooling."""
        for packed in self.packs:
            self._learn(self.mine, packed.data, self._mine(packed))

    def fallback(self) -> None:
        """The same without the compiled loops."""
        with mock.patch.object(native, "load", return_value=None):
            self.ours()

    def packed(self) -> None:
        """torch.nn's layer on packed sequences, as tutorials write it."""
        for inputs, lengths in zip(self.inputs, self.lengths, strict=True):
            self._learn(self.theirs, inputs, self._packed(inputs, lengths))

    def padded(self) -> None:
        """torch.nn's layer over the padding too, which is read and pooled: fast, and wrong."""
        for inputs in self.time_major:  # oneDNN's own layout
            self._learn(self.theirs_time_major, inputs, self.theirs_time_major(inputs)[0].amax(0))

    def _mine(self, packed: PackedSequence) -> Tensor:
        return pool(self.mine(packed)[0])[0]

    def _packed(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        padded = pad_packed_sequence(self.theirs(packed)[0], batch_first=True, padding_value=float("-inf"))
        return padded[0].amax(1)

    @staticmethod
    def _learn(layer: nn.Module, inputs: Tensor, pooled: Tensor) -> None:
        layer.zero_grad()
        inputs.grad = None
        pooled.sum().backward()


PACKED, PADDED, FALLBACK = "nn.LSTM packed", "nn.LSTM padded", "ours, torch fallback"


def step(context: Context) -> list[Row]:
    """A training step of a BiLSTM on review lengths in buckets of 64."""
    layers = Layers(context.batches(context.pick(8, 1), context.pick(64, 8)))
    peaks: list[float] = []
    sizes = (1024, 1536, 2048) if not context.quick else (256,)
    competitors = {
        "sgemm": lambda: peaks.append(matmul_peak(sizes, CPU, torch.float32)),
        "ours": layers.ours,
        PADDED: layers.padded,
        FALLBACK: layers.fallback,
        PACKED: layers.packed,
    }
    times = race(competitors, context.rounds)
    del times["sgemm"], peaks[0]
    flops = lstm_flops(layers.tokens, E, H) / median(times["ours"])
    sizes_note = f"{len(layers.packs)} batches, {layers.tokens:,} tokens"
    return [
        *speeds(times, layers.tokens, "tokens/s"),
        row("ours / nn.LSTM packed", ratio(times, PACKED), "x", at_least=5.5, note=sizes_note),
        row("ours / nn.LSTM padded", ratio(times, PADDED), "x", at_least=1.5, note="it pools padding, too"),
        row("ours / torch fallback", ratio(times, FALLBACK), "x"),
        row("sgemm peak", median(peaks) / 1e9, "GFLOP/s", peaks=peaks),
        row("ours, model FLOP/s", flops / 1e9, "GFLOP/s"),
        row("ours, of sgemm peak", flops / median(peaks), "%", at_least=0.5),
    ]


def long(context: Context) -> list[Row]:
    """One batch of long sequences; nn.LSTM packed takes minutes for it, so it gets one step."""
    shortest, size = context.pick(1024, 64), context.pick(32, 4)
    lengths = np.random.default_rng(0).integers(shortest, 2 * shortest + 1, size)
    layers = Layers([-np.sort(-lengths)])
    log(f"  {PACKED} may take 5 to 15 minutes for its single step")
    competitors = {"ours": layers.ours, PADDED: layers.padded, PACKED: layers.packed}
    times = race(competitors, context.rounds, once=[PACKED])
    note = f"one step of it, {layers.tokens:,} tokens, not warmed up"
    return [
        *speeds(times, layers.tokens, "tokens/s"),
        row("ours / nn.LSTM packed", ratio(times, PACKED), "x", at_least=150, note=note),
        row("ours / nn.LSTM padded", ratio(times, PADDED), "x"),
    ]


def kept(context: Context) -> list[Row]:
    """The same step, with and without padding, where freed memory is kept: it helps nn.LSTM more."""
    layers = Layers(context.batches(context.pick(8, 1), context.pick(64, 8)))
    times = race({"ours": layers.ours, PADDED: layers.padded, PACKED: layers.packed}, context.rounds)
    return [
        *speeds(times, layers.tokens, "tokens/s"),
        row("ours / nn.LSTM packed", ratio(times, PACKED), "x"),
        row("ours / nn.LSTM padded", ratio(times, PADDED), "x"),
    ]


def growth(context: Context) -> list[Row]:
    """Time for a token as sequences of equal length grow."""
    longest = context.pick(4096, 64)
    steps = [longest // 32, longest // 8, longest // 2, longest]
    layers = {T: Layers([np.full(context.pick(32, 4), T)] * (longest // T)) for T in steps}
    times = race({f"T = {T}": layers[T].ours for T in steps}, context.rounds)
    tokens = layers[longest].tokens  # the same for all
    change = ratio(times, f"T = {longest}", f"T = {steps[0]}")
    return [
        *speeds(times, tokens, "tokens/s"),
        row(f"time a token, T = {longest} / {steps[0]}", change, "x", at_most=1.2),
    ]


def equal(context: Context) -> list[Row]:
    """Equal lengths, where padding costs nothing: many sizes against nn.LSTM without packing."""
    rows = []
    for hidden in (32, 64, 128, 256, 512, 1024) if not context.quick else (32,):
        for layers in (1, 2, 3) if not context.quick else (1, 2):
            for bidirectional in (False, True):
                times = _equal(context, hidden, layers, bidirectional)
                name = f"H = {hidden}, {layers} layers, {'bi' if bidirectional else 'uni'}"
                rows.append(row(name, ratio(times, "padded"), "x", times=times))
                log(f"  {name}: {rows[-1]['value']:.2f}")
    least = min(rows, key=lambda one: one["value"])
    return [*rows, row("ours / nn.LSTM, the least", least["value"], "x", at_least=0.9, note=least["name"])]


def _equal(context: Context, hidden: int, layers: int, bidirectional: bool) -> Times:
    size, steps = context.pick(32, 4), context.pick(100, 10)
    mine = recurrent.LSTM(hidden, hidden, layers, bidirectional=bidirectional)
    theirs = nn.LSTM(hidden, hidden, layers, bidirectional=bidirectional)
    theirs.load_state_dict(mine.state_dict())
    inputs = torch.randn(steps, size, hidden, requires_grad=True)
    data = inputs.detach().flatten(0, 1).requires_grad_()
    packed = PackedSequence(data, torch.full((steps,), size))
    upstream = torch.randn(steps, size, hidden * (1 + bidirectional))

    def learn(layer: nn.Module, leaf: Tensor, whole: PackedSequence | Tensor) -> None:
        for _ in range(max(1, 256 // hidden)):  # so that the clock's grain does not matter
            layer.zero_grad()
            leaf.grad = None
            output = layer(whole)[0]
            output = output.data if isinstance(output, PackedSequence) else output
            output.backward(upstream.view(output.shape))

    return race(
        {"ours": lambda: learn(mine, data, packed), "padded": lambda: learn(theirs, inputs, inputs)},
        context.rounds,
    )
