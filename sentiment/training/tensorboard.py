"""Scalars of a training for TensorBoard, which is an extra: in the run's folder, beside history.jsonl."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sentiment.core.errors import UsageError
from sentiment.training.events import Epoch, Step
from sentiment.training.trainer import Trainer

FOLDER = "tensorboard"  # in that of the run
EVERY = 10  # updates between two scalars: reading the loss waits for the device


def check() -> None:
    """Fail before a training begins if the extra is not installed: UsageError, with what installs it."""
    if find_spec("tensorboard") is None:
        raise UsageError(
            "training.tensorboard = true needs an extra; install it with: "
            "pip install 'sentiment[tensorboard]'"
        )


class Scalars:
    """Write what training yields; the step of each scalar is the number of updates so far.

    Parameters
    ----------
    writer
        A ``torch.utils.tensorboard.SummaryWriter``, or what has its `add_scalar`.
    trainer
        In the state from which it goes on.
    """

    def __init__(self, writer: Any, trainer: Trainer) -> None:
        self.writer, self.told = writer, _progress(trainer)

    def step(self, event: Step, trainer: Trainer) -> None:
        """Write the mean loss since the last time, the learning rate and the speed, now and then."""
        if trainer.updates % EVERY and event.step < event.steps:
            return
        loss, seen = _progress(trainer)
        told_loss, told_seen = self.told if seen > self.told[1] else (0.0, 0)
        self._add("train/loss", (loss - told_loss) / max(1, seen - told_seen), trainer)
        self._add("train/learning_rate", trainer.optimizer.param_groups[-1]["lr"], trainer)
        self._add("train/tokens_per_second", trainer.tokens / max(trainer.seconds, 1e-9), trainer)
        self.told = loss, seen

    def epoch(self, event: Epoch, trainer: Trainer) -> None:
        """Write the scores on validation."""
        for name, value in event.record["validation"].items():
            if value is not None:
                self._add(f"validation/{name}", value, trainer)
        self._add("train/epoch_loss", event.record["loss"], trainer)
        self.writer.flush()
        self.told = 0.0, 0

    def _add(self, name: str, value: float, trainer: Trainer) -> None:
        self.writer.add_scalar(name, value, trainer.updates)


@contextmanager
def scalars(working: Path, trainer: Trainer) -> Iterator[Scalars]:
    """Write scalars in the folder of an unfinished run, from where the trainer stands.

    What an interrupted run wrote after its last checkpoint is hidden when it goes on.
    """
    from torch.utils.tensorboard import SummaryWriter

    purge = trainer.updates + 1 if trainer.updates else None
    writer = SummaryWriter(str(working / FOLDER), purge_step=purge)
    try:
        yield Scalars(writer, trainer)
    finally:
        writer.close()


def _progress(trainer: Trainer) -> tuple[float, int]:
    """Return the sum of the losses of this epoch, and the texts it is of; waits for the device."""
    return float(trainer.loss_sum), trainer.seen
