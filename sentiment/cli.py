"""The command line: thin verbs over plain functions.

stdout is data, stderr is talk. Nothing heavy is imported before a verb needs it.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from sentiment.errors import ResourceError, SentimentError, UsageError, from_machine

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
F = TypeVar("F", bound=Callable[..., Any])


def main() -> NoReturn:
    """Run the command line, and turn every failure into a message and an exit code."""
    # torch's threads spin while they wait, a millisecond by default: two trainings at once on two cores
    # were seven times slower than one alone. Spinning briefly costs 4 % on a quiet machine and mends that.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
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
    click.echo(f"sentiment: {message}", err=True)
    return code


@click.group(epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sentiment")
def cli() -> None:
    """Train, use and judge text classifiers: embedding + LSTM over packed sequences."""


def _example(text: str) -> str:
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


def corpus_options(command: F) -> F:
    """Add the options that say how a corpus is read."""
    for option in (
        click.option(
            "--label-column",
            metavar="C",
            help="Column of the labels; found by its name if left out.",
        ),
        click.option(
            "--text-column", metavar="C", help="Column of the texts; found by its name if left out."
        ),
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


@cli.command(
    epilog=_example(
        """
sentiment train
sentiment train sms_spam --seed 1 --set training.epochs=8
sentiment train reviews.csv --text-column body --label-column stars --out artifacts/reviews
sentiment train --resume
"""
    )
)
@click.argument("corpus", required=False)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the model; artifacts/<corpus>-<time>."
)
@CONFIG
@SET
@corpus_options
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the cuts, the weights and the order.")
@click.option("--deterministic", is_flag=True, help="Refuse operations that differ from run to run.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
def train(out: Path | None, resume: bool, device: str | None, deterministic: bool, **options: Any) -> None:
    """Train on CORPUS and report on its test texts.

    CORPUS is a preset (see `sentiment corpora`), a Hub id org/name[:config][@revision], a file (.csv,
    .tsv, .jsonl, .parquet, also .gz or .zst), or a folder label/*.txt. Without it: the sample.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, ())]
    if resume and (given or deterministic):
        names = ", ".join(given).replace("--assignments", "--set").replace("--file", "--config")
        raise UsageError(
            "--resume goes on with the settings of the interrupted run; "
            f"leave out {names or '--deterministic'}"
        )
    settings = None
    if not resume:
        extra = {"runtime.device": device, "runtime.deterministic": deterministic or None}
        settings = _settings(extra=extra, **options)
    from rich.console import Console

    from sentiment import pipeline, report
    from sentiment.console import ConsoleListener

    listener = ConsoleListener()
    try:
        if settings is None:
            predictor = pipeline.resume(out, listener, device)
        else:
            predictor = pipeline.train(settings, out, listener)
    finally:
        listener.close()
    Console(highlight=False).print(report.render(predictor.report))
    listener.stage(
        f'model: {predictor.bundle.folder}\ntry: sentiment predict "…" --model {predictor.bundle.folder}'
    )


@cli.command(
    epilog=_example(
        """
sentiment predict "Not bad at all, I would go again."
sentiment predict --input reviews.csv --text-column body --output scored.jsonl
cat lines.txt | sentiment predict --input - --format csv
"""
    )
)
@click.argument("texts", nargs=-1, metavar="[TEXT …]")
@click.option("--model", type=click.Path(path_type=Path), help="Model folder; the newest under artifacts.")
@click.option(
    "--input",
    "source",
    metavar="FILE|-",
    help="CSV, TSV, JSONL, Parquet or one text a line (.txt). - is stdin: JSONL if it begins with {, "
    "CSV with --text-column, else one text a line.",
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
@click.option("--text-column", metavar="C", help="Column of the texts; found by its name if left out.")
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
) -> int:
    """Classify texts, from the command line or a file.

    A row that cannot be classified becomes a row with `error`; the rest go on, and the exit code is 1.
    """
    from sentiment import scoring

    if texts and source:
        raise UsageError("give texts or --input, not both")
    if not texts and source is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                'nothing to classify; write: sentiment predict "some text", or give --input FILE'
            )
        source = "-"
    scoring.check_output(output)
    rows, column = scoring.read(texts, source, text_column)
    predictor = scoring.load(model, device)
    failed = scoring.write(
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
sentiment report artifacts/imdb
sentiment report artifacts/imdb --corpus sst2 --json
sentiment report artifacts/imdb --html imdb.html --png plots
"""
    )
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="The whole report as JSON.")
@click.option(
    "--corpus", metavar="CORPUS", help="Score on this corpus instead: its test split, or all of it."
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")
@click.option("--html", "page", type=click.Path(path_type=Path), help="Write the report as a page, too.")
@click.option("--png", type=click.Path(path_type=Path), help="Write its plots into this folder, too.")
def report(
    folder: Path, as_json: bool, corpus: str | None, device: str, page: Path | None, png: Path | None
) -> None:
    """Score the model in DIR again, on its own test texts or on another corpus."""
    from sentiment import pipeline
    from sentiment.report import html, plots, render

    if page is not None:  # before the work, which may be long
        html.check_place(page)
    if png is not None:
        png.mkdir(parents=True, exist_ok=True)
    result = pipeline.evaluate(folder, corpus, device)
    if page is not None:
        html.write(result, page)
    if png is not None:
        plots.save_png(result, png)
    _print(result, as_json, render)


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
    from sentiment.corpus.audit import audit as look_over
    from sentiment.corpus.audit import render

    _print(look_over(_settings(**options).corpus, near), as_json, render)


@cli.command(epilog=_example("sentiment corpora"))
def corpora() -> None:
    """List the corpora that have a short name, with what each needs."""
    from sentiment.corpus.presets import PRESETS

    wide = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        click.echo(f"{name:<{wide}}  {preset.about}; {preset.size}")
        click.echo(f"{'':<{wide}}  needs {preset.needs}")


def _settings(
    corpus: str | None,
    assignments: tuple[str, ...],
    file: Path | None = None,
    seed: int | None = None,
    extra: dict[str, Any] | None = None,
    **columns: str | None,
) -> Any:
    """Merge what the options say into the settings."""
    from sentiment import config

    overrides = dict(config.parse_override(assignment) for assignment in assignments)
    named = {"corpus.name": corpus, "seed": seed, **(extra or {})}
    named |= {f"corpus.{name}": value for name, value in columns.items()}
    overrides |= {name: value for name, value in named.items() if value is not None}
    return config.load(file, overrides)


def _print(result: dict[str, Any], as_json: bool, render: Callable[[dict[str, Any]], Any]) -> None:
    if as_json:
        click.echo(json.dumps(result, indent=1, ensure_ascii=False))
    else:
        from rich.console import Console

        Console(highlight=False).print(render(result))


if __name__ == "__main__":
    main()
