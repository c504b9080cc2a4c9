"""`sentiment report`, `compare` and `audit`, and the lists `models`, `corpora` and `recipes`."""

from pathlib import Path
from typing import Any

import click

from sentiment.cli.options import (
    DEVICE,
    HOW_READ,
    LABEL_COLUMN,
    OF_CORPUS,
    PATH,
    SET,
    TEXT_COLUMN,
    say,
    settings_from,
    show,
    to_json,
    verb,
)
from sentiment.core.errors import UsageError


@verb(
    "sentiment report artifacts/reviews",
    "sentiment report imdb --corpus sst2 --json",
    "sentiment report imdb --texts --html imdb.html --png plots",
    "sentiment report --predictions scores.csv --positive spam",
)
@click.argument("folder", type=PATH, metavar="[DIR|NAME]", required=False)
@click.option(
    "--predictions",
    "file",
    type=PATH,
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
@DEVICE
@click.option(
    "--texts/--no-texts",
    default=None,
    help="Quote texts; if left out, as the model's settings say, and always those of another corpus.",
)
@click.option("--html", "page", type=PATH, help="Write the report as a page, too.")
@click.option("--png", type=PATH, help="Write its plots into this folder, too.")
@TEXT_COLUMN
@LABEL_COLUMN
@HOW_READ
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
    _check_source(file, corpus, positive, texts)
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
        result = evaluate.evaluate(builtin.find(folder), corpus, device, texts, columns, say)
    elif file is not None:
        result = evaluate.evaluate_predictions(file, positive)
    if page is not None:
        html.write(result, page)
    if png is not None:
        plots.save_png(result, png)
    show(result, as_json, render)


@verb(
    "sentiment compare artifacts/lstm artifacts/gru",
    "sentiment compare artifacts/lstm artifacts/gru theirs.csv --json",
)
@click.argument("models", nargs=-1, type=PATH, metavar="DIR|NAME …")
@click.option("--json", "as_json", is_flag=True, help="The whole comparison as JSON.")
def compare(models: tuple[Path, ...], as_json: bool) -> None:
    """Compare the models in several folders on the same test texts, by paired tests against the best.

    A file stands for a model too, with the columns of `sentiment report --predictions`.
    """
    from sentiment.evaluation.compare import compare as look_at
    from sentiment.report.comparison import render_comparison

    show(look_at(models), as_json, render_comparison)


@verb(
    "sentiment audit sms_spam",
    "sentiment audit reviews.csv --text-column body --json",
)
@click.argument("corpus")
@OF_CORPUS
@SET
@click.option("--near/--no-near", default=True, help="Search near-duplicates too (slower).")
@click.option("--json", "as_json", is_flag=True, help="All findings as JSON.")
def audit(near: bool, as_json: bool, **options: Any) -> None:
    """Show what is in CORPUS and what is wrong with it: repeats, leaks, label conflicts, odd rows."""
    from sentiment.data.corpus.audit import audit as look_over
    from sentiment.report.audit import render

    show(look_over(settings_from(**options).corpus, near, say), as_json, render)


@verb(
    "sentiment models",
    "sentiment models --json",
)
@click.option("--json", "as_json", is_flag=True, help="With all scores and their intervals, as JSON.")
def models(as_json: bool) -> None:
    """List the models that come with the package, for `--model`, with what their reports say."""
    from sentiment.inference.builtin import described

    shipped = list(described())
    if as_json:
        click.echo(to_json(shipped, indent=1))
        return
    if not shipped:
        click.echo("no model comes with this copy of the package; train one with: sentiment train", err=True)
    for model in shipped:
        click.echo(f"{model['name']}  {', '.join(model['labels'])}; {model['bytes'] / 1e6:.1f} MB")
        click.echo(f"  trained on {model['corpus']['source']}: {model['data']}")
        click.echo(f"  {model['verdict']}")
        click.echo(f"  its report: {Path(model['folder']) / 'report.html'}")


@verb("sentiment corpora")
def corpora() -> None:
    """List the corpora that have a short name, with what each needs."""
    from sentiment.data.corpus.presets import PRESETS

    wide = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        click.echo(f"{name:<{wide}}  {preset.about}; {preset.size}")
        click.echo(f"{'':<{wide}}  needs {preset.needs}")


@verb(
    "sentiment recipes",
    "sentiment recipes --json",
)
@click.option("--json", "as_json", is_flag=True, help="With all settings, as JSON.")
def recipes(as_json: bool) -> None:
    """List the recipes of `--recipe`, with what each costs and reaches."""
    from dataclasses import asdict

    from sentiment.core.recipes import names, read

    listed = [asdict(read(name)) for name in names()]
    if as_json:
        click.echo(to_json(listed, indent=1))
        return
    wide = max(len(recipe["name"]) for recipe in listed)
    for recipe in listed:
        click.echo(f"{recipe['name']:<{wide}}  {recipe['about']}")
        for key in ("command", "costs", "reaches"):
            click.echo(f"{'':<{wide}}  {key}: {recipe[key]}")


def _of_corpus(corpus: str | None, assignments: tuple[str, ...], columns: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of the section corpus that the options change."""
    names = [assignment.partition("=")[0].strip() for assignment in assignments]
    other = next((name for name in names if not name.startswith("corpus.")), None)
    if other is not None:
        raise UsageError(f"--set {other}: a report can change settings of the section corpus only")
    settings = settings_from(corpus, assignments, **columns).corpus
    changed = [name.split(".")[1] for name in names]
    return {name: getattr(settings, name) for name in (*changed, *columns)}


def _check_source(file: Path | None, corpus: str | None, positive: str | None, texts: bool | None) -> None:
    if file is None and positive is not None:
        raise UsageError("--positive goes with --predictions; of a model see decision.positive")
    if file is not None and corpus is not None:
        raise UsageError("--corpus needs a model, and --predictions has none; leave one of them out")
    if file is not None and texts is not None:
        raise UsageError("--texts and --no-texts need a model: --predictions has no texts")
