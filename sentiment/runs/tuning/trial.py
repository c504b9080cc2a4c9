"""A search under way, and its trials: settings are suggested, trained with, judged on validation texts."""

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sentiment.core import files
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, CorpusError, Diverged, UsageError
from sentiment.data.corpus import Corpus
from sentiment.inference import pretrained
from sentiment.metrics.catalogue import SCORES, signed
from sentiment.metrics.task import task as task_of
from sentiment.models import runtime
from sentiment.models.network import infer
from sentiment.report.comparison import listed, ranked
from sentiment.report.phrases import number, seconds
from sentiment.runs.folder import Job, Run
from sentiment.runs.prepare import Prepared, prepare, tell_of_kernel
from sentiment.runs.tuning import outcome, space
from sentiment.runs.tuning.outcome import RECIPE
from sentiment.runs.tuning.space import Space
from sentiment.training.events import Epoch
from sentiment.training.trainer import Trainer

if TYPE_CHECKING:
    from optuna import Study, Trial

STUDY, TRIALS = "study.journal", "trials.jsonl"
TUNE = Job(
    "tune", "tuning.json", ("corpus", "device", "fixed", "space", "budget", "trials", "seconds"), TRIALS,
    "search", "-tune", "ended trials are kept; ",
)  # fmt: skip
JUDGES, WARM_UP = 4, 5  # finished trials, and tenths of a training, before one is pruned
TENTHS = 10  # trials of more and of fewer epochs are compared at the same tenth of the training
TIE = 1e-6  # weight of the log loss beside the metric: only their order matters to TPE
KEPT_READY = 6  # tokenized corpora with their vectors, in memory
# What settings may do to a trial; that of the first one, the starting settings, is an error of the search.
UNFIT = (Diverged, CorpusError, UsageError, torch.OutOfMemoryError, MemoryError)


class Search:
    """A search under way.

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
        """The seconds that are spent, in earlier runs too."""
        return self.before + time.monotonic() - self.begun

    @property
    def done(self) -> int:
        """The number of trials that have ended and were not stopped."""
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
        """Write the state, the trials and the recipe that lie beside the study."""
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


class Stopped(Exception):
    """A trial was cut short, by the user or the end of the budget."""


def attempt(search: Search, corpus: Corpus, stopped: Callable[[], bool]) -> None:
    """Ask for settings, train with them, and tell the study how it went."""
    import optuna
    from optuna.trial import TrialState

    settings, listener = search.run.settings, search.run.listener
    begun, done, metric = time.monotonic(), search.done, settings.training.metric
    # A seed for each place in the search: what is suggested follows from the ended trials alone. So a
    # stopped trial is tried again, and an interrupted search finds what another does.
    seed = np.random.SeedSequence([settings.seed, done]).generate_state(1)[0]
    search.study.sampler = optuna.samplers.TPESampler(seed=int(seed))
    if not done:
        search.study.enqueue_trial(space.start(settings, search.space))
    trial = search.study.ask()
    state, value, where = TrialState.PRUNED, None, f"trial {trial.number + 1}"
    try:
        tried = space.suggested(trial, settings, search.space)
        trial.set_user_attr("settings", tried)
        listener.stage(f"{where}: {listed(tried) if done else 'the starting settings'}")
        trainer = _train(search, corpus, trial, space.changed(settings, tried), stopped)
        scores, interval = _judge(trainer, settings.report.bootstrap, metric)
        trial.set_user_attr("validation", scores)
        trial.set_user_attr("interval", interval)
        value = signed(metric, scores[metric]) - TIE * scores["log_loss"]
        told = f"{SCORES[metric].title} {number(scores[metric])}, log loss {number(scores['log_loss'])}"
    except optuna.TrialPruned as pruned:
        told = str(pruned)
    except Stopped as cut:
        state, told = TrialState.FAIL, str(cut)
    except UNFIT as error:
        if not done:
            raise
        told = str(error)
    took = time.monotonic() - begun
    trial.set_user_attr("seconds", took)
    if value is None:
        trial.set_user_attr("why", told)
    search.study.tell(trial, value, state=state if value is None else None)
    listener.stage(f"{where}: {told}; {seconds(took)}")


def _train(
    search: Search, corpus: Corpus, trial: "Trial", settings: Config, stopped: Callable[[], bool]
) -> Trainer:
    """Train as `sentiment train` does with these settings, unless the trial is pruned or stopped."""
    import optuna

    run = search.run
    ready = _prepared(search, corpus, settings)
    with runtime.prepared(settings.runtime, settings.seed):
        trainer = ready.trainer(settings, run.device)
        tell_of_kernel(run.listener, run.device)
        reported = 0
        for event in trainer.run():
            if isinstance(event, Epoch):
                run.listener.epoch(event, trainer)
                trial.set_user_attr("epochs", trainer.epoch)
                trial.set_user_attr("validation", event.record["validation"])
                tenths = TENTHS * trainer.epoch // trainer.epochs
                for tenth in range(reported + 1, tenths + 1):
                    trial.report(-event.record["validation"]["log_loss"], tenth)
                if tenths > reported and not trainer.finished and trial.should_prune():
                    raise optuna.TrialPruned(f"pruned after epoch {trainer.epoch} of {trainer.epochs}")
                reported = tenths
            else:
                run.listener.step(event, trainer)
            if not trainer.finished and (stopped() or search.late):
                why = "stopped" if stopped() else "the budget ended"
                raise Stopped(f"{why} in epoch {trainer.epoch + 1} of {trainer.epochs}")
        return trainer


def _prepared(search: Search, corpus: Corpus, settings: Config) -> Prepared:
    """Return token ids and vectors, which trials with equal settings share; tokenizers stay on disk."""
    key = settings.tokenizer.model_dump_json() + settings.embedding.model_dump_json()
    if key not in search.ready:
        tokenizer = settings.tokenizer.model_dump_json(exclude={"max_length", "truncation", "window_overlap"})
        folder = search.run.out / "tokenizers" / hashlib.sha256(tokenizer.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        while len(search.ready) >= KEPT_READY:
            del search.ready[next(iter(search.ready))]
        part = search.run.part(folder, settings)
        search.ready[key] = prepare(part, corpus, pretrained.given(settings, corpus))
    return search.ready[key]


def _judge(trainer: Trainer, resamples: int, metric: str) -> tuple[dict[str, Any], list[float] | None]:
    """Return the validation scores of the weights that are kept, and the 95 % interval of the metric."""
    held_out, task = trainer.data.validation, task_of(trainer.task)
    probabilities = task.probabilities(infer(trainer.model, held_out.sequences, trainer.device))
    intervals = task.intervals(held_out.labels, probabilities, resamples=resamples)
    return task.quick_scores(held_out.labels, probabilities), intervals[metric]
