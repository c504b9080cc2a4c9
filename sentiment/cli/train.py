"""`sentiment train`, `pretrain`, `crossval` and `tune`: all that trains on a corpus, and can be resumed."""

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from sentiment.cli.options import FIX, PATH, new_settings, of_training, show, to_json, verb

UNITS = {"s": 1, "m": 60, "h": 3600}
SEED = "Of the cuts, the weights and the order."


@verb(
    "sentiment train",
    "sentiment train imdb --recipe quick",
    "sentiment train sms_spam --seed 1 --set training.epochs=8",
    "sentiment train reviews.csv --text-column body --label-column stars --out artifacts/reviews",
    "sentiment train comments.csv --label-column toxic,insult,threat",
    "sentiment train imdb --init-from artifacts/imdb_encoder",
    "sentiment train --resume",
)
@click.argument("corpus", required=False)
@click.option("--out", type=PATH, help="Folder of the model; artifacts/<corpus>-<time>.")
@click.option(
    "--init-from", metavar="DIR", help="Begin from the encoder in this folder, of sentiment pretrain."
)
@of_training(SEED)
@click.option("--deterministic", is_flag=True, help="Refuse operations that differ from run to run.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
def train(out: Path | None, resume: bool, device: str | None, deterministic: bool, **options: Any) -> None:
    """Train on CORPUS and report on its test texts.

    CORPUS is a preset (see `sentiment corpora`), a Hub id org/name[:config][@revision], a file (.csv, .tsv,
    .jsonl, .json, .parquet, .xlsx, lines of fastText; also .gz, .zst, .xz, .zip), or a folder label/*.txt (or
    .eml, .wav, .npz, .npy). Without it: the sample.
    """
    settings = new_settings(resume, device, options, deterministic=deterministic)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.report import renderers
    from sentiment.report.words import of_input
    from sentiment.runs import train

    with closing(ConsoleListener()) as listener:
        if settings is None:
            predictor = train.resume(out, listener, device)
        else:
            predictor = train.train(settings, out, listener)
    show(predictor.report, False, renderers.render)
    folder = predictor.bundle.folder
    listener.stage(
        f"model: {folder}\ntry: sentiment predict {of_input(predictor.report).argument} --model {folder}"
    )


@verb(
    "sentiment pretrain imdb --out artifacts/imdb_encoder",
    "sentiment pretrain imdb --out artifacts/imdb_encoder --minutes 9",
    "sentiment pretrain --resume --out artifacts/imdb_encoder --minutes 9",
)
@click.argument("corpus", required=False)
@click.option("--out", type=PATH, help="Folder; artifacts/<corpus>-encoder-<time>.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Save and end after so many, for --resume to go on.",
)
@of_training(SEED)
@click.option("--resume", is_flag=True, help="Go on with an unfinished pretraining.")
def pretrain(
    *, out: Path | None, minutes: float | None, device: str | None, resume: bool, **options: Any
) -> None:
    """Pretrain embedding and recurrence to predict what comes up in texts of CORPUS, for `train --init-from`.

    It reads the training and unlabelled texts; those that are in test too are left out. With --set
    pretraining.horizon=1 it is a language model. stdout is JSON: what was read and left out, the loss of each
    pass, and whether it is finished.
    """
    settings = new_settings(resume, device, options)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.runs import pretrain

    with closing(ConsoleListener()) as listener:
        if settings is None:
            result = pretrain.resume(out, listener, minutes, device)
        else:
            result = pretrain.pretrain(settings, out, listener, minutes)
    click.echo(to_json(result, indent=1))


@verb(
    "sentiment crossval sms_spam",
    "sentiment crossval reviews.csv --folds 10 --seeds 1 --set model.kind=gru --json",
    "sentiment crossval --resume",
)
@click.argument("corpus", required=False)
@click.option("--folds", type=click.IntRange(min=2), help="Parts of the corpus, 5 if left out.")
@click.option("--seeds", type=click.IntRange(min=1), help="Times to cut it anew, 3 if left out.")
@click.option("--out", type=PATH, help="Folder; artifacts/<corpus>-crossval-<time>.")
@of_training("The first of the seeds.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run; finished folds are kept.")
@click.option("--json", "as_json", is_flag=True, help="All results as JSON.")
def crossval(
    folds: int | None, seeds: int | None, out: Path | None, device: str | None, **options: Any
) -> None:
    """Cross-validate on CORPUS: train on all folds but one and score on that one, for each fold and seed.

    Its training and validation texts are used, and its own test split is not touched; a corpus of one
    split is used whole. Texts that are equal but for case and punctuation are never on two sides. The
    baselines see the same folds (--set report.baselines=false leaves them out).
    """
    resume, as_json = options.pop("resume"), options.pop("as_json")
    settings = new_settings(resume, device, options, folds=folds, seeds=seeds)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.report.comparison import render_crossval
    from sentiment.runs import crossval

    with closing(ConsoleListener()) as listener:
        if settings is None:
            result = crossval.resume(out, listener, device)
        else:
            result = crossval.crossval(settings, folds or 5, seeds or 3, out, listener)
    show(result, as_json, render_crossval)


def _duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read 90s, 30m or 2h as seconds."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.replace(".", "", 1).isdecimal() or not float(number):
        raise click.BadParameter(f"{text!r} is no time; write it as 90s, 30m or 2h")
    return float(number) * UNITS[unit]


@verb(
    "sentiment tune sms_spam --budget 30m",
    "sentiment tune imdb --recipe quick --set model.hidden_size=128 --budget 2h --out artifacts/imdb_tune",
    "sentiment tune --resume --out artifacts/imdb_tune --budget 1h",
)
@click.argument("corpus", required=False)
@click.option(
    "--budget",
    metavar="TIME",
    callback=_duration,
    help="Of all runs together, as 90s, 30m or 2h; 30m without --trials. With --resume: so much more.",
)
@click.option("--trials", type=click.IntRange(min=1), help="Most trials. With --resume: so many more.")
@click.option("--out", type=PATH, help="Folder; artifacts/<corpus>-tune-<time>.")
@of_training("Of the search, and of each training in it.", "Settings to start from.", FIX)
@click.option("--resume", is_flag=True, help="Go on with a search, interrupted or not.")
@click.option("--json", "as_json", is_flag=True, help="All trials as JSON.")
def tune(
    budget: float | None, trials: int | None, out: Path | None, device: str | None, **options: Any
) -> None:
    """Search for settings that do better on CORPUS, and write them as a recipe for `train --recipe`.

    The first trial is of the settings to start from: the defaults, --recipe and --config. Every trial is
    judged on the validation texts; the test texts are left out. At the end of the budget the trial under
    way is stopped and not counted.
    """
    resume, as_json = options.pop("resume"), options.pop("as_json")
    settings = new_settings(resume, device, options)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.core import config_io
    from sentiment.report.comparison import render_tuning
    from sentiment.runs import tuning

    limits: Any = {"budget": budget, "trials": trials, "out": out}
    with closing(ConsoleListener()) as listener:
        if settings is None:
            result = tuning.resume(**limits, listener=listener, device=device)
        else:
            fixed = [config_io.parse_override(assignment)[0] for assignment in options["assignments"]]
            result = tuning.tune(settings, fixed, **limits, listener=listener)
    show(result, as_json, render_tuning)
