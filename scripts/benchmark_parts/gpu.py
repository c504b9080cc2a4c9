"""The trainer on a GPU beside cuDNN alone.

torch's autocast runs cuDNN's recurrent layers in float16 whatever type it is given, so that the bare
layers run in both 16-bit types.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from benchmark_parts.measuring import (
    CPU,
    Context,
    E,
    Row,
    lstm_flops,
    matmul_peak,
    median,
    race,
    ratio,
    row,
    speeds,
)
from benchmark_parts.tasks import classifier, epoch_seconds
from sentiment.core.sections.training import TrainingConfig
from sentiment.models import runtime
from sentiment.models.batches import buckets, pack


def gpu(context: Context) -> list[Row]:
    """The trainer on a GPU beside cuDNN alone on the same batches, 256 units, batches of 256."""
    if not torch.cuda.is_available():
        return [row("trainer", None, "tokens/s", note="skipped: torch finds no GPU")]
    device = torch.device("cuda")
    return on_device(context, device, runtime.choose_precision("auto", device))


def on_device(context: Context, device: torch.device, precision: torch.dtype) -> list[Row]:
    """Do the part `gpu`; any device will do to try it."""
    hidden, size = context.pick(256, 16), context.pick(256, 8)
    examples = context.examples(context.pick(25_000, 64))
    training = TrainingConfig(epochs=1, batch_size=size, batch_tokens=400 * size)
    model = classifier(context.tokenizer, hidden_size=hidden).to(device)
    lengths = examples.sequences.lengths
    drawn = buckets(lengths, size, training.batch_tokens, np.random.default_rng([0, 0]))
    shapes = [pack(examples.sequences, rows, CPU).inputs.batch_sizes for rows in drawn]
    whole: list[float] = []
    peaks: list[float] = []
    peak_sizes = (4096, 8192) if device.type == "cuda" else (128,)
    competitors: dict[str, Callable[[], object]] = {
        "matmul": lambda: peaks.append(matmul_peak(peak_sizes, device, precision)),
        "trainer": lambda: whole.append(epoch_seconds(model, examples, training, precision)),
    }
    rows = []
    for name, dtype in {"bf16": torch.bfloat16, "fp16": torch.float16}.items():
        bare = Bare(hidden, shapes, device, dtype)
        try:
            bare.packed(shapes[:1])
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            rows.append(row(f"cuDNN, {name}", None, "tokens/s", note=f"skipped: {reason}"))
            continue
        competitors[f"cuDNN packed, {name}"] = bare.packed
        competitors[f"cuDNN padded, {name}"] = bare.padded
    times = race(competitors, context.rounds)
    del times["matmul"], peaks[0], whole[0]  # of the round that is not timed
    times["trainer"], tokens = whole, int(lengths.sum())
    flops = lstm_flops(tokens, E, hidden) / median(whole)
    padding = 1 - tokens / sum(len(shape) * int(shape[0]) for shape in shapes)
    note = f"{len(lengths):,} texts, {tokens:,} tokens, {len(shapes)} batches, {padding:.1%} padding"
    return [
        *rows,
        *speeds(times, tokens, "tokens/s"),
        *(
            row(f"trainer / {name}", ratio(times, name, "trainer"), "x")
            for name in times
            if name != "trainer"
        ),
        row("epoch", median(whole), "s", note=note),
        row("matmul peak", median(peaks) / 1e9, "GFLOP/s", peaks=peaks, note=str(precision)),
        row("trainer, model FLOP/s of peak", flops / median(peaks), "%"),
    ]


class Bare:
    """A BiLSTM of torch.nn alone, forward and backward, on batches of given shapes."""

    def __init__(self, hidden: int, shapes: list[Tensor], device: torch.device, dtype: torch.dtype) -> None:
        self.shapes = shapes  # sequences alive at each step, for each batch
        self.layer = nn.LSTM(E, hidden, bidirectional=True).to(device, dtype)
        area = max(len(shape) * int(shape[0]) for shape in shapes)
        self.inputs = torch.randn(area, E, device=device).to(dtype)
        self.upstream = torch.randn(area, 2 * hidden, device=device).to(dtype)

    def packed(self, shapes: list[Tensor] | None = None) -> None:
        """Train on the packed batches."""
        for shape in shapes or self.shapes:
            data = self._inputs(int(shape.sum()))
            self._backward(self.layer(PackedSequence(data, shape))[0].data)

    def padded(self) -> None:
        """Train on the same batches with padding, which is read too."""
        for shape in self.shapes:
            steps, width = len(shape), int(shape[0])
            data = self._inputs(steps * width).view(steps, width, E)
            self._backward(self.layer(data)[0].flatten(0, 1))

    def _inputs(self, count: int) -> Tensor:
        self.layer.zero_grad()
        return self.inputs[:count].detach().requires_grad_()

    def _backward(self, output: Tensor) -> None:
        output.backward(self.upstream[: len(output)])
