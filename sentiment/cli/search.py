"""`sentiment crossval` and `sentiment tune`: many trainings on one corpus."""

from pathlib import Path
from typing import Any

import click

from sentiment.cli.options import (
    CONFIG,
    RECIPE,
    SET,
    TRAINING_DEVICE,
    corpus_options,
    example,
    refuse_beside_resume,
    settings_from,
    show,
)

UNITS = {"s": 1, "m": 60, "h": 3600}


@click.command(
    epilog=example(
        """
sentiment crossval sms_spam
sentiment crossval reviews.csv --folds 10 --seeds 1 --set model.kind=gru --json
sentiment crossval --resume
"""
    )
)
@click.argument("corpus", required=False)
@click.option("--folds", type=click.IntRange(min=2), help="Parts of the corpus, 5 if left out.")
@click.option("--seeds", type=click.IntRange(min=1), help="Times to cut it anew, 3 if left out.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; artifacts/<corpus>-crossval-<time>.")
@RECIPE
@CONFIG
@SET
@corpus_options
@TRAINING_DEVICE
@click.option("--seed", type=click.IntRange(min=0), help="The first of the seeds.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run; finished folds are kept.")
@click.option("--json", "as_json", is_flag=True, help="All results as JSON.")
def crossval(
    *,
    folds: int | None,
    seeds: int | None,
    out: Path | None,
    device: str | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Cross-validate on CORPUS: train on all folds but one and score on that one, for each fold and seed.

    Its training and validation texts are used, and its own test split is not touched; a corpus of one
    split is used whole. Texts that are equal but for case and punctuation are never on two sides. The
    baselines see the same folds (--set report.baselines=false leaves them out).
    """
    from sentiment.cli.progress import ConsoleListener
    from sentiment.report.comparison import render_crossval
    from sentiment.runs import crossval as runs

    listener = ConsoleListener()
    try:
        if resume:
            refuse_beside_resume(options | {"folds": folds, "seeds": seeds})
            result = runs.resume(out, listener, device)
        else:
            settings = settings_from(extra={"runtime.device": device}, **options)
            result = runs.crossval(settings, folds or 5, seeds or 3, out, listener)
    finally:
        listener.close()
    show(result, as_json, render_crossval)


def _duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read 90s, 30m or 2h as seconds."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.replace(".", "", 1).isdecimal() or not float(number):
        raise click.BadParameter(f"{text!r} is no time; write it as 90s, 30m or 2h")
    return float(number) * UNITS[unit]


@click.command(
    epilog=example(
        """
sentiment tune sms_spam --budget 30m
sentiment tune imdb --recipe quick --set model.hidden_size=128 --budget 2h --out artifacts/imdb_tune
sentiment tune --resume --out artifacts/imdb_tune --budget 1h
"""
    )
)
@click.argument("corpus", required=False)
@click.option(
    "--budget",
    metavar="TIME",
    callback=_duration,
    help="Of all runs together, as 90s, 30m or 2h; 30m without --trials. With --resume: so much more.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Most trials. With --resume: so many more.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder; artifacts/<corpus>-tune-<time>.")
@click.option("--recipe", metavar="NAME|FILE", help="Settings to start from.")
@CONFIG
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Fix a setting, which is then not searched.",
)
@corpus_options
@TRAINING_DEVICE
@click.option("--seed", type=click.IntRange(min=0), help="Of the search, and of each training in it.")
@click.option("--resume", is_flag=True, help="Go on with a search, interrupted or not.")
@click.option("--json", "as_json", is_flag=True, help="All trials as JSON.")
def tune(
    *,
    budget: float | None,
    trials: int | None,
    out: Path | None,
    device: str | None,
    resume: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Search for settings that do better on CORPUS, and write them as a recipe for `train --recipe`.

    The first trial is of the settings to start from: the defaults, --recipe and --config. Every trial is
    judged on the validation texts; the test texts are left out. At the end of the budget the trial under
    way is stopped and not counted.
    """
    if resume:
        refuse_beside_resume(options)
    else:
        settings = settings_from(extra={"runtime.device": device}, **options)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.core import config_io
    from sentiment.report.comparison import render_tuning
    from sentiment.runs import tuning

    listener = ConsoleListener()
    try:
        if resume:
            result = tuning.resume(out, listener, budget=budget, trials=trials, device=device)
        else:
            fixed = [config_io.parse_override(assignment)[0] for assignment in options["assignments"]]
            result = tuning.tune(settings, fixed, budget=budget, trials=trials, out=out, listener=listener)
    finally:
        listener.close()
    show(result, as_json, render_tuning)
