"""`sentiment tune`: settings are tried and judged on the validation texts; the best become a recipe.

Optuna suggests, a `Trainer` tries. The test texts leave the corpus before the search begins.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sentiment.core import config_io, files
from sentiment.core.config import Config
from sentiment.core.errors import BundleError, CorpusError, Diverged, Interrupted, UsageError
from sentiment.core.files import ARTIFACTS
from sentiment.data.corpus import Corpus, Split, load_corpus
from sentiment.inference import pretrained
from sentiment.metrics.catalogue import SCORES, metric_of, signed
from sentiment.metrics.task import task as task_of
from sentiment.models import runtime
from sentiment.models.forward import infer
from sentiment.report import tuning
from sentiment.report.phrases import number, seconds
from sentiment.report.tuning import render
from sentiment.runs.folder import pinned, stored_settings
from sentiment.runs.prepare import Prepared, check_kind, prepare, tell_of_kernel
from sentiment.runs.tuning import outcome, space
from sentiment.runs.tuning.outcome import RECIPE
from sentiment.runs.tuning.space import Space
from sentiment.training.events import Epoch, Listener
from sentiment.training.trainer import Trainer

if TYPE_CHECKING:
    from optuna import Study, Trial

__all__ = ["check", "render", "resume", "tune"]

STUDY, STATE, TRIALS = "study.journal", "tuning.json", "trials.jsonl"
BUDGET = 1800.0  # seconds of a search without any limit
TENTHS = 10  # trials of more and of fewer epochs are compared at the same tenth of the training
JUDGES, WARM_UP = 4, 5  # finished trials, and tenths of a training, before one is pruned
TIE = 1e-6  # weight of the log loss beside the metric: only their order matters to TPE
KEPT_READY = 6  # tokenized corpora with their vectors, in memory
# What settings may do to a trial; that of the first one, the starting settings, is an error of the search.
UNFIT = (Diverged, CorpusError, UsageError, torch.OutOfMemoryError, MemoryError)


def tune(
    settings: Config,
    fixed: Collection[str] = (),
    *,
    budget: float | None = None,
    trials: int | None = None,
    out: Path | None = None,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Search for settings that do better on the validation texts than those given.

    A trial's score is ``training.metric`` of its best epoch; of equal ones the log loss decides. The first
    trial is of the settings as they are, so that the best is never worse on validation. All have the same
    seed. Settings are suggested by TPE (Bergstra et al. 2011). A trial is pruned if its validation log loss
    is worse than the median of the finished ones as far on in their training.

    Parameters
    ----------
    settings
        Where the search starts, and all that is not searched.
    fixed
        Dotted names, or sections, that stay as they are.
    budget
        Seconds; a trial under way at their end is stopped, between two updates, and not counted. Half an
        hour if neither this nor `trials` is given.
    trials
        Most trials, pruned ones too.
    out
        Folder for the results, which must not be there yet; ``artifacts/<corpus>-tune-<time>`` by default.

    Returns
    -------
    dict
        ``trials``, as in ``trials.jsonl``; the ``best`` and ``first`` of them; the ``gain``, the
        ``standard_error`` of the best score, the ``luck`` that the best of so many may have had, and a
        ``caution`` on these; the ``importance`` of each setting (PED-ANOVA, Watanabe et al. 2023), or None
        of few trials; the ``recipe``, and the ``command`` that trains with it.

    Raises
    ------
    Interrupted
        On Ctrl-C or SIGTERM; ended trials are kept, and the message says how to go on.
    SentimentError
        If the budget ended before the first trial did.
    """
    begun = time.monotonic()
    check()
    if out is not None and out.exists():
        raise UsageError(f"{out}: is there already; choose another --out, or go on with --resume --out {out}")
    listener = listener or Listener()
    with runtime.prepared(settings.runtime, settings.seed) as device:
        runtime.choose_precision(settings.runtime.precision, device)
        if settings.pretraining.first or settings.distillation.teachers:
            raise UsageError(
                "a search is of single trainings; leave out pretraining.first and distillation.teachers, "
                "and give them to train beside the recipe"
            )
        listener.stage(f"loading {settings.corpus.name}")
        corpus = load_corpus(settings.corpus, settings.seed, listener.notice)
        check_kind(settings, corpus)
        settings = settings.model_copy(deep=True)
        settings.training.metric = metric_of(settings.training.metric, corpus.task)
        fixed = [*fixed, *(name for name in space.SPACE if not corpus.input.uses(name))]
        searched = space.free(settings, fixed)
        if out is None:
            out = ARTIFACTS / f"{corpus.name}-tune-{datetime.now().strftime('%Y%m%d-%H%M%S')}"
        state = {
            "corpus": {
                "name": corpus.name,
                "source": corpus.source,
                "revision": corpus.revision,
                "fingerprint": corpus.fingerprint(),
                "sizes": {role: size for role, size in corpus.sizes.items() if role != "test"},
            },
            "device": runtime.describe(device),
            "fixed": sorted(fixed),
            "space": space.described(searched),
            "budget": BUDGET if budget is None and trials is None else budget,
            "trials": trials,
            "seconds": 0.0,
        }
        out.mkdir(parents=True)
        files.write_text(out / "config.toml", config_io.dumps(settings))
        files.write_json(out / STATE, state)
        return _run(_Search(out, settings, searched, state, _study(out), listener, begun), corpus, device)


def resume(
    out: Path | None = None,
    listener: Listener | None = None,
    *,
    budget: float | None = None,
    trials: int | None = None,
    device: str | None = None,
) -> dict[str, Any]:
    """Go on with a search; its trials are those of one that was not interrupted.

    Parameters
    ----------
    out
        What `tune` was given; by default the newest search under ``artifacts``.
    budget, trials
        So many more from now on, instead of what is left of those that the search was given.
    device
        Another device than before.
    """
    begun = time.monotonic()
    check()
    listener = listener or Listener()
    out = out or _newest()
    if not (out / STATE).is_file():
        raise UsageError(f"{out}: no search to resume ({out / STATE} is not there)")
    keys = ("corpus", "device", "fixed", "space", "budget", "trials", "seconds")
    state = files.read_json(out / STATE, *keys)
    settings = stored_settings(out, device)
    searched = space.free(settings, state["fixed"])
    if space.described(searched) != state["space"]:
        raise BundleError(f"{out}: another version of this package searched other settings; start again")
    search = _Search(out, settings, searched, state, _study(out), listener, begun)
    if budget is not None or trials is not None:
        state["budget"] = None if budget is None else state["seconds"] + budget
        state["trials"] = None if trials is None else search.done + trials
    if search.over:
        listener.stage(f"{out} is finished; --budget or --trials adds to it")
        return outcome.summary(search.study, settings, state, out)
    listener.stage(f"going on with {out}")
    with runtime.prepared(settings.runtime, settings.seed) as torch_device:
        state["device"] = runtime.describe(torch_device)
        asked = pinned(settings, state["corpus"]["revision"]).corpus
        corpus = load_corpus(asked, settings.seed, listener.notice)
        if corpus.fingerprint() != state["corpus"]["fingerprint"]:
            raise CorpusError(
                f"{settings.corpus.name}: the corpus has changed since this search began; "
                f"start again (and remove {out})"
            )
        return _run(search, corpus, torch_device)


def check() -> None:
    """Fail before a search begins if the extra is not installed.

    Raises
    ------
    UsageError
        With the command that installs it.
    """
    if find_spec("optuna") is None:
        raise UsageError("sentiment tune needs an extra; install it with: pip install 'sentiment[tune]'")


@dataclass
class _Search:
    """A search under way; `state` is what is stored of it beside the settings and the study."""

    out: Path
    settings: Config
    space: Space
    state: dict[str, Any]
    study: "Study"
    listener: Listener
    begun: float
    ready: dict[str, Prepared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before: float = self.state["seconds"]  # spent in earlier runs

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.begun

    @property
    def done(self) -> int:
        """Trials that count."""
        return sum(trial["state"] != "stopped" for trial in outcome.rows(self.study))

    @property
    def late(self) -> bool:
        return self.state["budget"] is not None and self.seconds >= self.state["budget"]

    @property
    def over(self) -> bool:
        return self.late or (self.state["trials"] is not None and self.done >= self.state["trials"])


class _Stopped(Exception):
    """A trial was cut short, by the user or the end of the budget."""


def _study(out: Path) -> "Study":
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


def _newest() -> Path:
    found = list(ARTIFACTS.glob(f"*/{STATE}"))
    if not found:
        raise UsageError(f"no search under {ARTIFACTS}; name it with --out DIR")
    return max(found, key=lambda file: file.stat().st_mtime_ns).parent


def _run(search: _Search, corpus: Corpus, device: torch.device) -> dict[str, Any]:
    """Try settings until the time or the trials are spent."""
    corpus = replace(corpus, test=Split([], np.empty(0, np.int64)))
    with _kept(search), runtime.stop_requests() as stop:
        while not search.over:
            _try(search, corpus, device, stop.is_set)
            _write(search)
            if stop.is_set():
                raise KeyboardInterrupt
    return outcome.summary(search.study, search.settings, search.state, search.out)


def _write(search: _Search) -> None:
    """Bring what lies beside the study up to date."""
    search.state["seconds"] = search.seconds
    files.write_json(search.out / STATE, search.state)
    trials = outcome.rows(search.study)
    files.write_text(search.out / TRIALS, files.json_lines(trials))
    if tuning.ranked(trials, search.settings.training.metric):
        result = outcome.summary(search.study, search.settings, search.state, search.out)
        files.write_text(search.out / RECIPE, outcome.recipe(search.settings, result))


@contextmanager
def _kept(search: _Search) -> Iterator[None]:
    """Say how to go on with a search that is cut short, or leave nothing behind if it had hardly begun."""
    again = f"ended trials are kept; go on with: sentiment tune --resume --out {search.out}"
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"stopped; {again}") from error
    except BaseException:
        if search.done or search.before:
            search.listener.stage(again)
        else:
            shutil.rmtree(search.out, ignore_errors=True)
        raise


def _try(search: _Search, corpus: Corpus, device: torch.device, stopped: Callable[[], bool]) -> None:
    """Ask for settings, train with them, and tell the study how it went."""
    import optuna
    from optuna.trial import TrialState

    begun, done, metric = time.monotonic(), search.done, search.settings.training.metric
    # A seed for each place in the search: what is suggested follows from the ended trials alone. So a
    # stopped trial is tried again, and an interrupted search finds what another does.
    seed = np.random.SeedSequence([search.settings.seed, done]).generate_state(1)[0]
    search.study.sampler = optuna.samplers.TPESampler(seed=int(seed))
    if not done:
        search.study.enqueue_trial(space.start(search.settings, search.space))
    trial = search.study.ask()
    state, value, where = TrialState.PRUNED, None, f"trial {trial.number + 1}"
    try:
        tried = space.suggested(trial, search.settings, search.space)
        trial.set_user_attr("settings", tried)
        search.listener.stage(f"{where}: {tuning.listed(tried) if done else 'the starting settings'}")
        trainer = _train(search, corpus, device, trial, space.changed(search.settings, tried), stopped)
        scores, interval = _judge(trainer, search.settings, device)
        trial.set_user_attr("validation", scores)
        trial.set_user_attr("interval", interval)
        value = signed(metric, scores[metric]) - TIE * scores["log_loss"]
        told = f"{SCORES[metric].title} {number(scores[metric])}, log loss {number(scores['log_loss'])}"
    except optuna.TrialPruned as pruned:
        told = str(pruned)
    except _Stopped as cut:
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
    search.listener.stage(f"{where}: {told}; {seconds(took)}")


def _train(
    search: _Search,
    corpus: Corpus,
    device: torch.device,
    trial: "Trial",
    settings: Config,
    stopped: Callable[[], bool],
) -> Trainer:
    """Train as `pipeline.train` does with these settings, unless the trial is pruned or stopped."""
    import optuna

    ready = _prepared(search, corpus, settings)
    with runtime.prepared(settings.runtime, settings.seed):
        trainer = ready.trainer(settings, device)
        tell_of_kernel(search.listener, device)
        reported = 0
        for event in trainer.run():
            if isinstance(event, Epoch):
                search.listener.epoch(event, trainer)
                trial.set_user_attr("epochs", trainer.epoch)
                trial.set_user_attr("validation", event.record["validation"])
                tenths = TENTHS * trainer.epoch // trainer.epochs
                for tenth in range(reported + 1, tenths + 1):
                    trial.report(-event.record["validation"]["log_loss"], tenth)
                if tenths > reported and not trainer.finished and trial.should_prune():
                    raise optuna.TrialPruned(f"pruned after epoch {trainer.epoch} of {trainer.epochs}")
                reported = tenths
            else:
                search.listener.step(event, trainer)
            if not trainer.finished and (stopped() or search.late):
                why = "stopped" if stopped() else "the budget ended"
                raise _Stopped(f"{why} in epoch {trainer.epoch + 1} of {trainer.epochs}")
        return trainer


def _prepared(search: _Search, corpus: Corpus, settings: Config) -> Prepared:
    """Return token ids and vectors; trials that agree on them share them, and tokenizers stay on disk."""
    key = settings.tokenizer.model_dump_json() + settings.embedding.model_dump_json()
    if key not in search.ready:
        tokenizer = settings.tokenizer.model_dump_json(exclude={"max_length", "truncation", "window_overlap"})
        folder = search.out / "tokenizers" / hashlib.sha256(tokenizer.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        while len(search.ready) >= KEPT_READY:
            del search.ready[next(iter(search.ready))]
        search.ready[key] = prepare(
            settings, corpus, folder, pretrained.given(settings, corpus), search.listener, {}
        )
    return search.ready[key]


def _judge(
    trainer: Trainer, settings: Config, device: torch.device
) -> tuple[dict[str, Any], list[float] | None]:
    """Return the validation scores of the weights that are kept, and the 95 % interval of the metric."""
    held_out = trainer.data.validation
    labels, resamples, task = held_out.labels, settings.report.bootstrap, task_of(trainer.model.task)
    probabilities = task.probabilities(infer(trainer.model, held_out.sequences, device))
    intervals = task.intervals(labels, probabilities, resamples=resamples)
    return task.quick_scores(labels, probabilities), intervals[settings.training.metric]
