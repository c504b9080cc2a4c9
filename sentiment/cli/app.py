"""The command line: thin verbs over plain functions.

stdout is data, stderr is talk. Nothing heavy is imported before a verb needs it.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from sentiment.core.errors import ResourceError, SentimentError, UsageError, from_machine

EXIT_CODES = """
\b
Exit codes:
  0    done
  1    done, but some rows could not be classified, or training failed
  2    wrong usage, option or setting
  3    the corpus is missing, unreadable or not fit for training
  4    the model folder is incomplete, changed or of another version
  5    the Hub (or a download) cannot be reached, or refuses
  6    the machine: memory, disk or permissions
  70   a fault of this program
  130  stopped with Ctrl-C
"""
INTERNAL = 70  # EX_SOFTWARE of sysexits.h
FAILED_ROWS = 1
UNITS = {"s": 1, "m": 60, "h": 3600}
F = TypeVar("F", bound=Callable[..., Any])
Result = TypeVar("Result")


def main() -> NoReturn:
    """Run the command line, and turn every failure into a message and an exit code."""
    # torch's threads spin while they wait, a millisecond by default: two trainings at once on two cores
    # were seven times slower than one alone. Spinning briefly costs 4 % on a quiet machine and mends that.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    for stream in (sys.stdout, sys.stderr):  # a terminal that lacks a character shows another one instead
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace" if stream is sys.stderr else "replace")
    if sys.stdout is None:  # closed by the caller, as in `… >&-`
        sys.exit(_fail("stdout is closed, so there is nowhere to write to", ResourceError.exit_code))
    try:
        code = cli(standalone_mode=False) or 0
    except click.exceptions.Exit as error:
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = UsageError.exit_code
    except (KeyboardInterrupt, click.Abort):
        code = _fail("stopped", 130)
    except (BrokenPipeError, SystemExit):  # the reader of our output has gone, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        if os.environ.get("SENTIMENT_DEBUG"):
            raise
        known = error if isinstance(error, SentimentError) else from_machine(error)
        if known is not None:
            code = _fail(str(known), known.exit_code)
        else:
            code = _fail(
                f"a fault of this program: {type(error).__name__}: {error}. "
                "Please report it, with what SENTIMENT_DEBUG=1 shows",
                INTERNAL,
            )
    sys.exit(code)


def _fail(message: str, code: int) -> int:
    from sentiment.core.strings import printable

    click.echo(f"sentiment: {printable(message)}", err=True)
    return code


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sentiment")
def cli() -> None:
    """Train, use and judge text classifiers: embedding + LSTM over packed sequences."""


def _example(text: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


TEXT_COLUMN = click.option(
    "--text-column",
    metavar="C",
    help="Column of the texts, or several that are joined as a,b, or of features; found if left out. "
    "Without a header columns are 1, 2, 3.",
)
LABEL_COLUMN = click.option(
    "--label-column",
    metavar="C",
    help="Column of the labels, or several of 0 and 1 as a,b,c; found if left out.",
)


def file_options(command: F) -> F:
    """Add the options that say how a file is read."""
    for option in (
        click.option(
            "--encoding", metavar="E", help="Of the file, such as cp1252; UTF-8 or by its mark if left out."
        ),
        click.option(
            "--header/--no-header",
            default=None,
            help="Whether the first row names the columns; judged if left out.",
        ),
        click.option("--separator", metavar="S", help="Between the fields of a line; judged if left out."),
    ):
        command = option(command)
    return command


def corpus_options(command: F) -> F:
    """Add the options that say how a corpus is read."""
    for option in (
        file_options,
        LABEL_COLUMN,
        TEXT_COLUMN,
        click.option("--test", metavar="FILE|SPLIT", help="Test texts, if the corpus does not bring them."),
        click.option("--validation", metavar="FILE|SPLIT", help="Validation texts, likewise."),
    ):
        command = option(command)
    return command


SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting, e.g. model.layers=2.",
)
CONFIG = click.option(
    "--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML with settings."
)
MODEL = click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="DIR|NAME",
    help="Model folder, or one of `sentiment models`; the newest under artifacts, else imdb.",
)
RECIPE = click.option(
    "--recipe", metavar="NAME|FILE", help="Settings that go together; --config and --set change them."
)


@cli.command(
    epilog=_example(
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
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train.")
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
        _refuse_beside_resume(options | {"deterministic": deterministic})
    else:
        extra = {"runtime.device": device, "runtime.deterministic": deterministic or None}
        settings = _settings(extra=extra, **options)
    from rich.console import Console

    from sentiment.cli.progress import ConsoleListener
    from sentiment.report import renderers
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
    what = "--input FILE" if predictor.bundle.manifest.get("kind") == "features" else '"…"'
    folder = predictor.bundle.folder
    listener.stage(f"model: {folder}\ntry: sentiment predict {what} --model {folder}")


@cli.command(
    epilog=_example(
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
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train.")
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
        _refuse_beside_resume(options)
    else:
        settings = _settings(extra={"runtime.device": device}, **options)
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
    click.echo(_json(result, indent=1))


@cli.command(
    epilog=_example(
        """
sentiment predict "I laughed all the way through; see it."
sentiment predict "WINNER!! Claim your free prize now" --model sms_spam
sentiment predict --input reviews.csv --text-column body --output scored.jsonl
cat lines.txt | sentiment predict --input - --format csv
"""
    )
)
@click.argument("texts", nargs=-1, metavar="[TEXT …]")
@MODEL
@click.option(
    "--input",
    "source",
    metavar="FILE|-",
    help="CSV, TSV, JSONL, Parquet or one text a line (.txt). - is stdin: JSONL if it begins with {, "
    "CSV with --text-column, else one text a line. For a model of features also .wav, .npz and .npy, and "
    "folders of them.",
)
@click.option(
    "--output",
    metavar="FILE|-",
    default="-",
    help="Where to write; a file is complete or not there.",
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "jsonl", "csv"]),
    help="jsonl with --input, else text.",
)
@TEXT_COLUMN
@file_options
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")
def predict(
    *,
    texts: tuple[str, ...],
    model: Path | None,
    source: str | None,
    output: str,
    style: str | None,
    text_column: str | None,
    device: str,
    **asked: Any,
) -> int:
    """Classify texts, from the command line or a file.

    Of a file the columns that the model was trained on are taken. A row that cannot be classified becomes a
    row with `error`; the rest go on, and the exit code is 1.
    """
    from sentiment.cli import predict_io
    from sentiment.core import files

    if texts and source:
        raise UsageError("give texts or --input, not both")
    if not texts and source is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                'nothing to classify; write: sentiment predict "some text", or give --input FILE'
            )
        source = "-"
    if output != "-":
        files.check_place(Path(output), "--output")
    predictor = predict_io.load(model, device)
    rows, column = predict_io.read(texts, source, predictor.bundle, text_column, _asked(asked))
    failed = predict_io.write(
        predictor.stream(rows, column),
        predictor.labels,
        output,
        style or ("jsonl" if source else "text"),
    )
    if failed:
        click.echo(f"sentiment: {failed:,} rows could not be classified; see their error", err=True)
    return FAILED_ROWS if failed else 0


@cli.command(
    epilog=_example(
        """
sentiment explain "I laughed all the way through; see it."
sentiment explain "free entry" "see you at 8" --model sms_spam --class spam
cat lines.txt | sentiment explain - --html why.html
sentiment explain --input word.wav --model artifacts/commands
"""
    )
)
@click.argument("texts", nargs=-1, metavar="[TEXT … | -]")
@MODEL
@click.option("--input", "source", metavar="FILE|-", help="Explain what is in a file, as predict reads it.")
@click.option(
    "--class", "--label", "label", metavar="LABEL",
    help="Class to explain; the predicted one if left out, of several labels the most probable.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each text.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of HTML instead.")
@TEXT_COLUMN
@file_options
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")
def explain(
    *,
    texts: tuple[str, ...],
    model: Path | None,
    source: str | None,
    label: str | None,
    as_json: bool,
    html: Path | None,
    text_column: str | None,
    device: str,
    **asked: Any,
) -> None:
    """Show which words of TEXT carried the decision; - reads texts from stdin, as predict does.

    Each word has a weight, by integrated gradients: above 0 it speaks for the class, below against it.
    Beside it stands what changes when the word is left out, as a check. Of features, the words are steps.
    """
    if as_json and html:
        raise UsageError("give --json or --html, not both")
    if bool(texts) == (source is not None):
        raise UsageError('give texts or --input; for one text write: sentiment explain "some text"')
    from sentiment.cli import predict_io
    from sentiment.core import files

    if html is not None:
        files.check_place(html, "--html")
    predictor, found = predict_io.load(model, device), []
    source = "-" if texts == ("-",) else source
    rows, column = predict_io.read(texts, source, predictor.bundle, text_column, _asked(asked))
    for row in rows:
        try:
            found.append(predictor.read(row, column))
        except ValueError as error:
            raise UsageError(f"{row.where}: {error}") from None
    from sentiment.inference.explain import explain as explain_texts
    from sentiment.report import explanation

    explanations = explain_texts(predictor, found, label)
    if html is not None:
        files.write_text(html, explanation.page(explanations))
    elif as_json:
        for one in explanations:
            click.echo(_json(one.as_dict()))
    else:
        from rich.console import Console

        for one in explanations:
            Console(highlight=False).print(explanation.render(one))


@cli.command(
    epilog=_example(
        """
sentiment report artifacts/reviews
sentiment report imdb --corpus sst2 --json
sentiment report imdb --texts --html imdb.html --png plots
sentiment report --predictions scores.csv --positive spam
"""
    )
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="[DIR|NAME]", required=False)
@click.option(
    "--predictions",
    "file",
    type=click.Path(path_type=Path),
    help="Report on these predictions instead, of any model: CSV, TSV, JSONL or Parquet with the column "
    "label (the true class) and p_<class> for each class, or probabilities (a list in the order of the "
    "sorted labels, or an object by label), or for two classes probability (of the positive one).",
)
@click.option(
    "--positive", metavar="LABEL", help="With --predictions: the positive class; the second of the two."
)
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON.")
@click.option(
    "--corpus", metavar="CORPUS", help="Score on this corpus instead: its test split, or all of it."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")
@click.option(
    "--texts/--no-texts",
    default=None,
    help="Quote texts; if left out, as the model's settings say, and always those of another corpus.",
)
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write the report as a page, too.")
@click.option("--png", type=click.Path(path_type=Path), help="Write its plots into this folder, too.")
@TEXT_COLUMN
@LABEL_COLUMN
@file_options
@SET
def report(
    folder: Path | None,
    file: Path | None,
    positive: str | None,
    as_json: bool,
    corpus: str | None,
    device: str,
    texts: bool | None,
    page: Path | None,
    png: Path | None,
    assignments: tuple[str, ...],
    **columns: Any,
) -> None:
    """Score the model in DIR again, on its own test texts or on another corpus.

    Of another corpus the columns that the model was trained on are taken, if they are there. With --set
    settings of the section corpus can be changed for it, such as corpus.invalid_rows=drop.
    """
    columns = {name: value for name, value in columns.items() if value is not None}
    if assignments and corpus is None:
        raise UsageError("--set says how a corpus is read; give --corpus, too")
    if assignments:
        columns = _of_corpus(corpus, assignments, columns)
    if columns and corpus is None:
        raise UsageError(
            f"--{next(iter(columns)).replace('_', '-')} says how a corpus is read; give --corpus, too"
        )
    if (folder is None) == (file is None):
        raise UsageError("give DIR, the folder of a model, or --predictions FILE")
    if file is None and positive is not None:
        raise UsageError("--positive goes with --predictions; of a model see decision.positive")
    if file is not None and corpus is not None:
        raise UsageError("--corpus needs a model, and --predictions has none; leave one of them out")
    if file is not None and texts is not None:
        raise UsageError("--texts and --no-texts need a model: --predictions has no texts")
    from sentiment.core import files
    from sentiment.inference import builtin
    from sentiment.report import html, plots
    from sentiment.report.renderers import render
    from sentiment.runs import evaluate

    if page is not None:  # before the work, which may be long
        files.check_place(page, "--html")
    if png is not None:
        png.mkdir(parents=True, exist_ok=True)
    if folder is not None:
        result = evaluate.evaluate(builtin.find(folder), corpus, device, texts, columns)
    elif file is not None:
        result = evaluate.evaluate_predictions(file, positive)
    if page is not None:
        html.write(result, page)
    if png is not None:
        plots.save_png(result, png)
    _print(result, as_json, render)


@cli.command(
    epilog=_example(
        """
sentiment compare artifacts/lstm artifacts/gru
sentiment compare artifacts/lstm artifacts/gru theirs.csv --json
"""
    )
)
@click.argument("models", nargs=-1, type=click.Path(path_type=Path), metavar="DIR|NAME …")
@click.option("--json", "as_json", is_flag=True, help="The whole comparison as JSON.")
def compare(models: tuple[Path, ...], as_json: bool) -> None:
    """Compare the models in several folders on the same test texts, by paired tests against the best.

    A file stands for a model too, with the columns of `sentiment report --predictions`.
    """
    from sentiment.evaluation.compare import compare as look_at
    from sentiment.report.comparison import render

    _print(look_at(models), as_json, render)


@cli.command(
    epilog=_example(
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
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train.")
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
    from sentiment.report import crossval
    from sentiment.runs import crossval as runs

    listener = ConsoleListener()
    try:
        if resume:
            _refuse_beside_resume(options | {"folds": folds, "seeds": seeds})
            result = runs.resume(out, listener, device)
        else:
            settings = _settings(extra={"runtime.device": device}, **options)
            result = runs.crossval(settings, folds or 5, seeds or 3, out, listener)
    finally:
        listener.close()
    _print(result, as_json, crossval.render)


def _duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    """Read 90s, 30m or 2h as seconds."""
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.replace(".", "", 1).isdecimal() or not float(number):
        raise click.BadParameter(f"{text!r} is no time; write it as 90s, 30m or 2h")
    return float(number) * UNITS[unit]


@cli.command(
    epilog=_example(
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
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train.")
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
        _refuse_beside_resume(options)
    else:
        settings = _settings(extra={"runtime.device": device}, **options)
    from sentiment.cli.progress import ConsoleListener
    from sentiment.core import config_io
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
    _print(result, as_json, tuning.render)


@cli.command(
    epilog=_example(
        """
sentiment audit sms_spam
sentiment audit reviews.csv --text-column body --json
"""
    )
)
@click.argument("corpus")
@corpus_options
@SET
@click.option("--near/--no-near", default=True, help="Search near-duplicates too (slower).")
@click.option("--json", "as_json", is_flag=True, help="All findings as JSON.")
def audit(near: bool, as_json: bool, **options: Any) -> None:
    """Show what is in CORPUS and what is wrong with it: repeats, leaks, label conflicts, odd rows."""
    from sentiment.data.corpus.audit import audit as look_over
    from sentiment.report.audit import render

    _print(look_over(_settings(**options).corpus, near), as_json, render)


@cli.command(
    epilog=_example(
        """
sentiment models
sentiment models --json
"""
    )
)
@click.option("--json", "as_json", is_flag=True, help="With all scores and their intervals, as JSON.")
def models(as_json: bool) -> None:
    """List the models that come with the package, for `--model`, with what their reports say."""
    from sentiment.inference.builtin import described

    found = list(described())
    if as_json:
        click.echo(_json(found, indent=1))
        return
    if not found:
        click.echo("no model comes with this copy of the package; train one with: sentiment train", err=True)
    for model in found:
        click.echo(f"{model['name']}  {', '.join(model['labels'])}; {model['bytes'] / 1e6:.1f} MB")
        click.echo(f"  trained on {model['corpus']['source']}: {model['data']}")
        click.echo(f"  {model['verdict']}")
        click.echo(f"  its report: {Path(model['folder']) / 'report.html'}")


@cli.command(epilog=_example("sentiment corpora"))
def corpora() -> None:
    """List the corpora that have a short name, with what each needs."""
    from sentiment.data.corpus.presets import PRESETS

    wide = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        click.echo(f"{name:<{wide}}  {preset.about}; {preset.size}")
        click.echo(f"{'':<{wide}}  needs {preset.needs}")


@cli.command(
    epilog=_example(
        """
sentiment recipes
sentiment recipes --json
"""
    )
)
@click.option("--json", "as_json", is_flag=True, help="With all settings, as JSON.")
def recipes(as_json: bool) -> None:
    """List the recipes of `--recipe`, with what each costs and reaches."""
    from dataclasses import asdict

    from sentiment.core.recipes import names, read

    found = [asdict(read(name)) for name in names()]
    if as_json:
        click.echo(_json(found, indent=1))
        return
    wide = max(len(recipe["name"]) for recipe in found)
    for recipe in found:
        click.echo(f"{recipe['name']:<{wide}}  {recipe['about']}")
        for key in ("command", "costs", "reaches"):
            click.echo(f"{'':<{wide}}  {key}: {recipe[key]}")


def _asked(options: dict[str, Any]) -> Any:
    from sentiment.data.rows import Asked

    return Asked(**options)


def _refuse_beside_resume(options: dict[str, Any]) -> None:
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, (), False)
    ]
    if given:
        names = ", ".join(given).replace("--assignments", "--set").replace("--file", "--config")
        raise UsageError(f"--resume goes on with the settings of the interrupted run; leave out {names}")


def _settings(
    corpus: str | None,
    assignments: tuple[str, ...],
    file: Path | None = None,
    seed: int | None = None,
    extra: dict[str, Any] | None = None,
    recipe: str | None = None,
    init_from: str | None = None,
    **columns: Any,
) -> Any:
    """Merge what the options say into the settings."""
    from sentiment.core import config_io, recipes
    from sentiment.metrics.catalogue import checked

    base = recipes.read(recipe).settings if recipe is not None else {}
    if init_from is not None:
        from sentiment.inference import pretrained

        base = config_io.merge(pretrained.shared_settings(init_from), base)

    overrides = dict(config_io.parse_override(assignment) for assignment in assignments)
    named = {"corpus.name": corpus, "seed": seed, "model.init_from": init_from, **(extra or {})}
    named |= {f"corpus.{name}": value for name, value in columns.items()}
    overrides |= {name: value for name, value in named.items() if value is not None}
    return checked(config_io.load(file, overrides, base))


def _of_corpus(corpus: str | None, assignments: tuple[str, ...], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the section corpus that the options change."""
    names = [assignment.partition("=")[0].strip() for assignment in assignments]
    other = next((name for name in names if not name.startswith("corpus.")), None)
    if other is not None:
        raise UsageError(f"--set {other}: a report can change settings of the section corpus only")
    settings = _settings(corpus, assignments, **columns).corpus
    changed = [name.split(".")[1] for name in names]
    return {name: getattr(settings, name) for name in (*changed, *columns)}


def _json(content: Any, indent: int | None = None) -> str:
    """Write JSON in characters that stdout has."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(content, indent=indent, ensure_ascii=not unicode)


def _print(result: Result, as_json: bool, render: Callable[[Result], Any]) -> None:
    if as_json:
        click.echo(_json(result, indent=1))
    else:
        from rich.console import Console

        Console(highlight=False).print(render(result))
