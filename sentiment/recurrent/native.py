"""The loops of `steps.Steps` in C: built on first use, kept in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sentiment.recurrent.steps import CELLS, Cell, Steps
from sentiment.runtime import cache_folder

FLAGS = (
    "-std=gnu11 -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -fopenmp-simd "
    "-shared -fPIC -pthread"
)


@cache
def load() -> NativeSteps | None:
    """Give the compiled loops, or None where they are off, cannot be built or compute nonsense."""
    if os.environ.get("SENTIMENT_KERNEL") == "off":
        return None
    try:
        native = NativeSteps(ctypes.CDLL(str(build())))
    except (OSError, RuntimeError, AttributeError, subprocess.SubprocessError):
        return None
    return native if _is_right(native) else None


class NativeSteps(Steps):
    """The same as `Steps` for float32, with ``kernel.c`` at work."""

    def __init__(self, library: Any) -> None:
        library.sentiment_lanes.restype = ctypes.c_ssize_t
        library.sentiment_recur.argtypes = [ctypes.c_ssize_t] * 10 + [ctypes.c_void_p] * 7
        library.sentiment_recur.restype = None
        self._recur = library.sentiment_recur
        self.lanes = library.sentiment_lanes()

    def forward(
        self, cell: Cell, sizes: Tensor, gates: Tensor, prev: Tensor, state: Tensor,
        weights: Sequence[Tensor], bias: Tensor, out: Tensor,
    ) -> None:  # fmt: skip
        """Run all steps from the projected inputs."""
        # A panel is the weights that one register tile works with: all gates of one vector of
        # units, or if there is but one gate, four vectors of units.
        units = self.lanes if cell.gates > 1 else 4 * self.lanes
        panels = [
            w.unflatten(0, (cell.gates, -1))[:, first : first + units].permute(2, 0, 1)
            for w in weights
            for first in range(0, w.shape[1], units)
        ]
        self._call(False, cell, 1, sizes, gates, prev, state, panels, bias, out)

    def backward(
        self, cell: Cell, sizes: Tensor, gates: Tensor, prev: Tensor, state: Tensor,
        weights: Sequence[Tensor], bias: Tensor, out: Tensor,
    ) -> None:  # fmt: skip
        """Run all steps backward, from the gradients of outputs and final states."""
        panels = [part for w in weights for part in w.split(4 * self.lanes, 1)]
        shares = _shares(state)
        biases = bias.new_zeros(len(bias), shares, *bias.shape[1:])
        self._call(True, cell, shares, sizes, gates, prev, state, panels, biases, out)
        torch.sum(biases, 1, out=bias)

    def _call(
        self, is_backward: bool, cell: Cell, shares: int, sizes: Tensor, gates: Tensor,
        prev: Tensor, state: Tensor, panels: list[Tensor], bias: Tensor, out: Tensor,
    ) -> None:  # fmt: skip
        _, directions, batch, width = state.shape
        packed = out.new_empty(directions * cell.gates * width * width)
        for part, panel in zip(packed.split([p.numel() for p in panels]), panels, strict=True):
            part.view(panel.shape).copy_(panel)
        self._recur(
            is_backward, torch.get_num_threads(), cell.code, directions, _shares(state),
            len(sizes), len(out), batch, out.shape[2], width,
            *(t.data_ptr() for t in (sizes, gates, prev, state, packed, bias, out)),
        )  # fmt: skip


def _shares(state: Tensor) -> int:
    """Say into how many parts the sequences of each direction go, to keep all threads busy."""
    _, directions, batch, _ = state.shape
    return min(batch, max(1, torch.get_num_threads() // directions))


def build() -> Path:
    """Compile the C for this processor, unless the cache already has it; give the library's path.

    The cache is `sentiment.runtime.cache_folder`; the compiler is ``$CC``, by default ``cc``.
    """
    source = Path(__file__).with_name("kernel.c")
    arm = platform.machine() in ("aarch64", "arm64")
    compiler = [
        *shlex.split(os.environ.get("CC", "cc")),
        "-mcpu=native" if arm else "-march=native",
    ]
    # What the compiler predefines names its version and every instruction set it will use, so that
    # machines which share a cache never run each other's instructions.
    about = [*compiler, "-dM", "-E", "-x", "c", os.devnull]
    predefined = subprocess.run(about, capture_output=True, check=True).stdout
    command = [*compiler, *FLAGS.split(), str(source), "-o"]
    parts = (source.read_bytes(), shlex.join(command).encode(), predefined)
    key = hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]
    folder = cache_folder()
    library = folder / f"recurrent-{key}.so"
    if not library.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            built = Path(temporary) / library.name
            subprocess.run([*command, str(built)], capture_output=True, check=True)
            built.replace(library)  # in one step, as another process may be doing the same
    return library


@torch.no_grad()
def _is_right(native: Steps) -> bool:
    """Compare with the torch operations on a small layer of each cell."""
    random = torch.Generator("cpu").manual_seed(0)  # leaves the user's random state alone
    sizes, width = torch.tensor([3, 2, 1], device="cpu"), 2 * native.lanes

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random, dtype=torch.float32, device="cpu") - 0.5

    for cell in CELLS.values():
        gates, state = draw(2, 6, cell.slots, width), draw(cell.states, 2, 3, width)
        weights = [draw(cell.gates * width, width) for _ in range(2)]
        bias, d_out = draw(2, cell.slots, width), draw(6, 2, width - 1)
        results = []
        for steps in (native, Steps()):
            sums, prev, states = gates.clone(), draw(cell.states, 2, 6, width), state.clone()
            out, d_bias, d_states = torch.empty_like(d_out), torch.zeros_like(bias), state.clone()
            steps.forward(cell, sizes, sums, prev, states, weights, bias, out)
            steps.backward(cell, sizes, sums, prev, d_states, weights, d_bias, d_out)
            results.append([out, states, prev, sums, d_states, d_bias])
        if not all(torch.allclose(a, b, rtol=1e-4, atol=1e-5) for a, b in zip(*results, strict=True)):
            return False
    return True
