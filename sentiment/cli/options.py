"""What several verbs share: options, the settings that they ask for, and how results are printed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentiment.core.errors import UsageError

if TYPE_CHECKING:
    from sentiment.core.config import Config
    from sentiment.data.rows import Asked

F = TypeVar("F", bound=Callable[..., Any])
Result = TypeVar("Result")

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
TRAINING_DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where to train."
)
DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto")


def example(text: str) -> str:
    """Return the end of a verb's help: its examples, a line each."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in text.strip().splitlines())


def how_read(options: dict[str, Any]) -> "Asked":
    """Return what `file_options` say."""
    from sentiment.data.rows import Asked

    return Asked(**options)


def refuse_beside_resume(options: dict[str, Any]) -> None:
    """Raise UsageError if any of these options was given."""
    given = [
        f"--{name.replace('_', '-')}" for name, value in options.items() if value not in (None, (), False)
    ]
    if given:
        names = ", ".join(given).replace("--assignments", "--set").replace("--file", "--config")
        raise UsageError(f"--resume goes on with the settings of the interrupted run; leave out {names}")


def settings_from(
    corpus: str | None,
    assignments: tuple[str, ...],
    file: Path | None = None,
    seed: int | None = None,
    extra: dict[str, Any] | None = None,
    recipe: str | None = None,
    init_from: str | None = None,
    **columns: Any,
) -> "Config":
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


def to_json(content: Any, indent: int | None = None) -> str:
    """Write JSON in characters that stdout has."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(content, indent=indent, ensure_ascii=not unicode)


def show(result: Result, as_json: bool, render: Callable[[Result], Any]) -> None:
    """Print a result as JSON, or as `render` puts it."""
    if as_json:
        click.echo(to_json(result, indent=1))
    else:
        from rich.console import Console

        Console(highlight=False).print(render(result))
