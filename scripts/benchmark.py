"""How fast the package is, beside what one would write without it.

    python scripts/benchmark.py --json benchmark.json        # everything, on a quiet machine
    python scripts/benchmark.py --only step equal            # some parts
    python scripts/benchmark.py --quick --lengths synthetic  # a minute, no corpus: only to try the script

The parts are the functions in PARTS, each in a file of its kind in benchmark_parts/. All run in this one
process, strictly in turn: in each round every competitor is timed once, after one round that is not
timed, so that whatever slows the machine slows all of them alike. Ratios are of medians over the rounds.
PASS and FAIL stand beside the figures that are promised. stdout gets the table, as Markdown; stderr gets
the progress; --json keeps every single time.

Denormal numbers are flushed to zero for all (torch.set_flush_denormal), as `sentiment train` does. The
first parts, of layers and prediction, run in a process that is otherwise as torch leaves it; from `kept`
on freed memory is kept too, as in `sentiment train`, and that cannot be undone.
"""

import argparse
import os
import platform
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import tokenizers
import torch
from benchmark_parts.gpu import gpu
from benchmark_parts.layers import equal, growth, kept, long, step
from benchmark_parts.measuring import (
    Context,
    Row,
    log,
    show,
)
from benchmark_parts.peers import peers
from benchmark_parts.tasks import encode, epoch, predict
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sentiment.core import files
from sentiment.core.sections.run import RuntimeConfig
from sentiment.models import recurrent, runtime

PARTS = {
    part.__name__: part for part in (step, long, equal, predict, kept, growth, epoch, encode, peers, gpu)
}  # fmt: skip
AS_TORCH_LEAVES_IT = ("step", "long", "equal", "predict")


def machine() -> dict[str, Any]:
    """Describe where this runs."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), cpu)
    omp = [line for line in torch.__config__.parallel_info().splitlines() if line.startswith("OpenMP")]
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "kernel": recurrent.kernel(),
        "kernel_reason": recurrent.kernel_reason(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "omp": omp[0] if omp else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "cudnn": torch.backends.cudnn.version() if torch.cuda.is_available() else None,
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tokenizers": tokenizers.__version__,
    }


def table(rows: list[Row]) -> Table:
    """Lay the figures out."""
    result = Table("part", "what", "figure", "bar", "verdict", "note", box=box.MARKDOWN)
    for one in rows:
        verdict = {True: "PASS", False: "FAIL", None: ""}[one.get("pass")]
        figure = show(one["value"], one["unit"])
        cells = (one["part"], one["name"], figure, one.get("bar", ""), verdict, one["note"])
        result.add_row(*map(escape, cells))
    return result


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description="Speed of the package beside what one would write without.")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="NAME", help=f"of: {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, only to try the script")
    parser.add_argument("--full", action="store_true", help="encode all labelled texts")
    parser.add_argument("--rounds", type=int, help="default 5, quick 2")
    parser.add_argument("--corpus", default="imdb", help="where texts come from (default imdb)")
    parser.add_argument("--lengths", choices=["corpus", "synthetic"], default="corpus")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as torch finds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every time that was taken")
    options = parser.parse_args()

    torch.set_flush_denormal(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    parts = [name for name in PARTS if name in (options.only or PARTS)]
    on_gpu = "gpu" in parts and torch.cuda.is_available()
    texts = 150 if options.quick else 50_000 if options.full else 25_000 if on_gpu else 5_000
    corpus = "synthetic" if options.lengths == "synthetic" else options.corpus
    rounds = options.rounds or (2 if options.quick else 5)
    context = Context(options.quick, options.full, rounds, corpus, texts)
    facts = machine()
    rows: list[Row] = []
    log(", ".join(f"{name} {value}" for name, value in facts.items() if value is not None))
    if (facts["load"] or 0) > 0.5:
        log("other processes are at work: not a run to quote")
    for name in parts:
        log(f"{name}: {PARTS[name].__doc__}")
        asked = RuntimeConfig(device="cpu", threads=options.threads)
        begun = time.perf_counter()
        with nullcontext() if name in AS_TORCH_LEAVES_IT else runtime.prepared(asked, 0):
            rows += [{"part": name, **one} for one in PARTS[name](context)]
        log(f"  {time.perf_counter() - begun:.0f} s")
        if options.json:  # after each part, as a run is long
            source = context.data[0] if "data" in vars(context) else None
            settings = {"quick": options.quick, "rounds": rounds, "texts": source}
            whole = {"machine": facts, "settings": settings, "rows": rows}
            files.write_json(options.json, whole)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table(rows))
    verdicts = [one["pass"] for one in rows if "pass" in one]
    log(f"{sum(verdicts)} of {len(verdicts)} bars held")


if __name__ == "__main__":
    main()
