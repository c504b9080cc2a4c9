"""`sentiment train` and `sentiment pretrain`."""

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
    to_json,
)


@click.command(
    epilog=example(
        """
sentiment train
sentiment train imdb --recipe quick
sentiment train sms_spam --seed 1 --set training.epochs=8
sentiment train reviews.csv --text-column body --label-column stars --out artifacts/reviews
sentiment train comments.csv --label-column toxic,insult,threat
sentiment train imdb --init-from artifacts/imdb_encoder
sentiment train --resume
"""
    )
)
@click.argument("corpus", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the model; artifacts/<corpus>-<time>."
)
@click.option(
    "--init-from", metavar="DIR", help="Begin from the encoder in this folder, of sentiment pretrain."
)
@RECIPE
@CONFIG
@SET
@corpus_options
@TRAINING_DEVICE
@click.option("--seed", type=click.IntRange(min=0), help="Of the cuts, the weights and the order.")
@click.option("--deterministic", is_flag=True, help="Refuse operations that differ from run to run.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
def train(out: Path | None, resume: bool, device: str | None, deterministic: bool, **options: Any) -> None:
    """Train on CORPUS and report on its test texts.

    CORPUS is a preset (see `sentiment corpora`), a Hub id org/name[:config][@revision], a file (.csv, .tsv,
    .jsonl, .json, .parquet, .xlsx, lines of fastText; also .gz, .zst, .xz, .zip), or a folder label/*.txt (or
    .eml, .wav, .npz, .npy). Without it: the sample.
    """
    settings = None
    if resume:
        refuse_beside_resume(options | {"deterministic": deterministic})
    else:
        extra = {"runtime.device": device, "runtime.deterministic": deterministic or None}
        settings = settings_from(extra=extra, **options)
    from rich.console import Console

    from sentiment.cli.progress import ConsoleListener
    from sentiment.report import renderers
    from sentiment.report.words import of_input
    from sentiment.runs import train

    listener = ConsoleListener()
    try:
        if settings is None:
            predictor = train.resume(out, listener, device)
        else:
            predictor = train.train(settings, out, listener)
    finally:
        listener.close()
    Console(highlight=False).print(renderers.render(predictor.report))
    folder = predictor.bundle.folder
    listener.stage(
        f"model: {folder}\ntry: sentiment predict {of_input(predictor.report).argument} --model {folder}"
    )


@click.command(
    epilog=example(
        """
sentiment pretrain imdb --out artifacts/imdb_encoder
sentiment pretrain imdb --out artifacts/imdb_encoder --minutes 9
sentiment pretrain --resume --out artifacts/imdb_encoder --minutes 9
"""
    )
)
@click.argument("corpus", required=False)
@click.option("--out", type=click.Path(path_type=Path), help="Folder; artifacts/<corpus>-encoder-<time>.")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="Save and end after so many, for --resume to go on.",
)
@RECIPE
@CONFIG
@SET
@corpus_options
@TRAINING_DEVICE
@click.option("--seed", type=click.IntRange(min=0), help="Of the cuts, the weights and the order.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished pretraining.")
def pretrain(
    *, out: Path | None, minutes: float | None, device: str | None, resume: bool, **options: Any
) -> None:
    """Pretrain embedding and recurrence to predict what comes up in texts of CORPUS, for `train --init-from`.

    It reads the training and unlabelled texts; those that are in test too are left out. With --set
    pretraining.horizon=1 it is a language model. stdout is JSON: what was read and left out, the loss of each
    pass, and whether it is finished.
    """
    settings = None
    if resume:
        refuse_beside_resume(options)
    else:
        settings = settings_from(extra={"runtime.device": device}, **options)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.runs import pretrain

    listener = ConsoleListener()
    try:
        if settings is None:
            result = pretrain.resume(out, listener, minutes, device)
        else:
            result = pretrain.pretrain(settings, out, listener, minutes)
    finally:
        listener.close()
    click.echo(to_json(result, indent=1))
