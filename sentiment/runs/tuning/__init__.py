"""`sentiment tune`: settings are tried and judged on the validation texts; the best become a recipe.

Optuna suggests, a `Trainer` tries. The test texts leave the corpus before the search begins.
"""

import time
from collections.abc import Collection
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sentiment.core.config import Config
from sentiment.core.errors import BundleError, UsageError
from sentiment.data.corpus import Corpus, Split, load_corpus
from sentiment.metrics.catalogue import metric_of
from sentiment.models import runtime
from sentiment.runs.folder import Run, identity
from sentiment.runs.prepare import check_kind
from sentiment.runs.tuning import outcome, space
from sentiment.runs.tuning.trial import TUNE, Search, attempt
from sentiment.training.events import Listener

__all__ = ["check", "resume", "tune"]

BUDGET = 1800.0  # seconds of a search without any limit


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
    run = Run.new(TUNE, settings.model_copy(deep=True), out, listener)
    settings = run.settings
    if settings.pretraining.first or settings.distillation.teachers:
        raise UsageError(
            "a search is of single trainings; leave out pretraining.first and distillation.teachers, "
            "and give them to train beside the recipe"
        )
    with run.on_device():
        run.announce()
        corpus = load_corpus(run.corpus_settings, settings.seed, run.listener.notice)
        check_kind(settings, corpus)
        settings.training.metric = metric_of(settings.training.metric, corpus.task)
        fixed = [*fixed, *(name for name in space.SPACE if not corpus.input.uses(name))]
        searched = space.free(settings, fixed)
        state = {
            "corpus": {
                **identity(corpus, corpus.fingerprint()),
                "sizes": {role: size for role, size in corpus.sizes.items() if role != "test"},
            },
            "device": runtime.describe(run.device),
            "fixed": sorted(fixed),
            "space": space.described(searched),
            "budget": BUDGET if budget is None and trials is None else budget,
            "trials": trials,
            "seconds": 0.0,
        }
        with run.work(corpus.name, state):
            search = Search(run, searched, begun)
            _run(search, corpus)
    return outcome.summary(search.study, run)


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
    run = Run.unfinished(TUNE, out, listener, device)
    state, out = run.state, run.out
    searched = space.free(run.settings, state["fixed"])
    if space.described(searched) != state["space"]:
        raise BundleError(f"{out}: another version of this package searched other settings; start again")
    search = Search(run, searched, begun)
    if budget is not None or trials is not None:
        state["budget"] = None if budget is None else state["seconds"] + budget
        state["trials"] = None if trials is None else search.done + trials
    if search.over:
        run.listener.stage(f"{out} is finished; --budget or --trials adds to it")
        return outcome.summary(search.study, run)
    with run.on_device():
        run.announce()
        state["device"] = runtime.describe(run.device)
        corpus = load_corpus(run.corpus_settings, run.settings.seed, run.listener.notice)
        with run.work(corpus.name, {"fingerprint": corpus.fingerprint()}):
            _run(search, corpus)
    return outcome.summary(search.study, run)


def check() -> None:
    """Fail before a search begins if the extra is not installed.

    Raises
    ------
    UsageError
        With the command that installs it.
    """
    if find_spec("optuna") is None:
        raise UsageError("sentiment tune needs an extra; install it with: pip install 'sentiment[tune]'")


def _run(search: Search, corpus: Corpus) -> None:
    """Try settings until the time or the trials are spent."""
    corpus = replace(corpus, test=Split([], np.empty(0, np.int64)))
    with runtime.stop_requests() as stop:
        while not search.over:
            attempt(search, corpus, stop.is_set)
            search.write()
            if stop.is_set():
                raise KeyboardInterrupt
