"""What a run says on stderr: a progress bar on a terminal, plain lines elsewhere."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from sentiment.cli.options import say
from sentiment.metrics.catalogue import short
from sentiment.training.events import Epoch, Judging, Listener, Running, Step

REFRESH, PLAIN = 0.25, 30.0  # seconds between updates: on a terminal, in plain lines
COLUMNS = {  # scores on validation, by task
    "multiclass": ("accuracy", "macro_f1", "mcc"),
    "multilabel": ("accuracy", "macro_f1", "micro_f1"),
    "ordinal": ("mae", "quadratic_kappa", "accuracy"),
}


class ConsoleListener(Listener):
    """Show stages, a bar with loss, speed and time left, and a table row for each epoch."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.progress: Progress | None = None
        self.shown = 0.0
        self.rows = 0
        self.said: set[str] = set()

    def stage(self, text: str) -> None:
        """Print a line."""
        self.close()
        self.console.print(text, markup=False)

    def once(self, text: str) -> None:
        """Print a line, the first time."""
        if text not in self.said:
            self.said.add(text)
            self.stage(text)

    def notice(self, text: str) -> None:
        """Print a line."""
        say(text)

    def step(self, event: Step, trainer: Running) -> None:
        """Move the bar, a few times a second at most: reading the loss waits for the device."""
        now = time.monotonic()
        if now - self.shown < (REFRESH if self.console.is_terminal else PLAIN):
            return
        first, self.shown = not self.shown, now
        speed = trainer.tokens / max(trainer.seconds, 1e-9)
        done = trainer.epoch + event.step / event.steps
        if self.console.is_terminal:
            bar = self._bar(trainer.epochs)
            values: Any = {"epoch": event.epoch, "loss": trainer.running_loss, "speed": speed}
            bar.update(bar.task_ids[0], completed=done, **values)
        elif not first:
            self.console.print(
                f"epoch {event.epoch}/{trainer.epochs}, batch {event.step}/{event.steps}: "
                f"loss {trainer.running_loss:.4f}, {speed:,.0f} tokens/s",
                markup=False,
            )

    def epoch(self, event: Epoch, trainer: Judging) -> None:
        """Print the epoch's row."""
        record, scores = event.record, event.record["validation"]
        columns = {"log_loss": "val loss"} | {key: short(key) for key in COLUMNS[trainer.task]}
        if not self.rows:
            head = ("epoch", "loss", *columns.values(), "tokens/s", "seconds")
            self.console.print("  ".join(f"{name:>9}" for name in head), markup=False)
        self.rows += 1
        cells = [
            f"{record['epoch']}/{trainer.epochs}",
            f"{record['loss']:.4f}",
            *(f"{scores[key]:.4f}" for key in columns),
            f"{record['tokens_per_second']:,.0f}",
            f"{record['seconds']:.1f}" + (" *" if record["best"] else ""),
        ]
        self.console.print("  ".join(f"{cell:>9}" for cell in cells), markup=False)
        if trainer.finished:
            self.close()

    def close(self) -> None:
        """Remove the bar."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None

    def _bar(self, epochs: int) -> Progress:
        if self.progress is None:
            columns: list[ProgressColumn] = [
                TextColumn("epoch {task.fields[epoch]}"),
                BarColumn(),
                TextColumn("loss {task.fields[loss]:.4f}  {task.fields[speed]:,.0f} tokens/s"),
                TimeRemainingColumn(),
            ]
            self.progress = Progress(*columns, console=self.console, transient=True)
            self.progress.add_task("training", total=epochs, epoch=1, loss=0.0, speed=0.0)
            self.progress.start()
        return self.progress
