"""What a training tells while it runs, and who listens."""

from dataclasses import dataclass
from typing import Any, Protocol

from sentiment.core.strings import warn


@dataclass(frozen=True)
class Step:
    """An update was made."""

    epoch: int
    step: int
    steps: int
    tokens: int


@dataclass(frozen=True)
class Epoch:
    """An epoch has ended; `record` is its line of the history."""

    record: dict[str, Any]


class Running(Protocol):
    """What is told of a training while it runs: epochs done, epochs in all; tokens, seconds of this one."""

    epoch: int
    epochs: int
    tokens: int
    seconds: float

    @property
    def running_loss(self) -> float:
        """Mean training loss of the epoch so far."""


class Judging(Running, Protocol):
    """A training whose epochs are judged by scores of a task."""

    @property
    def task(self) -> str:
        """What a label is, see `sentiment.metrics.task`."""

    @property
    def finished(self) -> bool:
        """Whether no epoch follows."""


class Listener:
    """Told what a run does; this one says nothing of progress. The console prints."""

    def stage(self, text: str) -> None:
        """Begin a part of the run."""

    def once(self, text: str) -> None:
        """Hear what each of several runs would say; worth telling the first time."""

    def notice(self, text: str) -> None:
        """Hear what was guessed, or left out: nothing of that is silent, so this one logs a warning."""
        warn(text)

    def step(self, event: Step, trainer: Running) -> None:
        """Note that an update was made."""

    def epoch(self, event: Epoch, trainer: Judging) -> None:
        """Note that an epoch has ended."""
