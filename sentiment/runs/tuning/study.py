"""A search under way: its folder, its study, and when it is over."""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sentiment.core import files
from sentiment.core.errors import BundleError
from sentiment.report.comparison import ranked
from sentiment.runs.folder import Job, Run
from sentiment.runs.prepare import Prepared
from sentiment.runs.tuning import outcome
from sentiment.runs.tuning.outcome import RECIPE
from sentiment.runs.tuning.space import Space

if TYPE_CHECKING:
    from optuna import Study

STUDY, TRIALS = "study.journal", "trials.jsonl"
TUNE = Job(
    "tune", "tuning.json", ("corpus", "device", "fixed", "space", "budget", "trials", "seconds"), TRIALS,
    "search", "-tune", "ended trials are kept; ",
)  # fmt: skip
JUDGES, WARM_UP = 4, 5  # finished trials, and tenths of a training, before one is pruned


class Search:
    """A run that tries settings.

    Attributes
    ----------
    space
        What is searched.
    study
        What Optuna knows of it; on disk, too.
    ready
        Tokenized corpora with their vectors, by the settings that they follow from.
    """

    def __init__(self, run: Run, space: Space, begun: float) -> None:
        self.run, self.space, self.begun = run, space, begun
        self.study = open_study(run.out)
        self.before: float = run.state["seconds"]  # spent in earlier runs
        self.ready: dict[str, Prepared] = {}

    @property
    def seconds(self) -> float:
        """Spent so far."""
        return self.before + time.monotonic() - self.begun

    @property
    def done(self) -> int:
        """Trials that count."""
        return sum(trial["state"] != "stopped" for trial in outcome.rows(self.study))

    @property
    def late(self) -> bool:
        """Whether the time is spent."""
        return self.run.state["budget"] is not None and self.seconds >= self.run.state["budget"]

    @property
    def over(self) -> bool:
        """Whether the time or the trials are spent."""
        return self.late or (self.run.state["trials"] is not None and self.done >= self.run.state["trials"])

    def write(self) -> None:
        """Bring what lies beside the study up to date."""
        run = self.run
        run.state["seconds"] = self.seconds
        run.write_state()
        trials = outcome.rows(self.study)
        files.write_text(run.out / TRIALS, files.json_lines(trials))
        if ranked(trials, run.settings.training.metric):
            files.write_text(run.out / RECIPE, outcome.recipe(run.settings, outcome.summary(self.study, run)))


def open_study(out: Path) -> "Study":
    """Open the study of a folder; a trial that was running when its process was killed has failed."""
    import optuna
    from optuna.storages.journal import JournalFileBackend, JournalStorage

    path = out / STUDY
    if path.is_file():  # a full disk may have cut the last line short, and the next would be added to it
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)
    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of each study that it makes
    try:
        study = optuna.create_study(
            study_name="tune",
            storage=JournalStorage(JournalFileBackend(str(path))),
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=JUDGES, n_warmup_steps=WARM_UP),
        )
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path}: not a readable study: {error}; remove {out} and start again") from error
    finally:
        optuna.logging.set_verbosity(told)
    return study
