"""What several verbs share: options, the settings that they ask for, and how results are printed."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sentiment.core.errors import UsageError

if TYPE_CHECKING:
    from sentiment.core.config import Config

F = TypeVar("F", bound=Callable[..., Any])
Result = TypeVar("Result")

say = partial(click.echo, err=True)  # what was guessed, or left out: stdout is for data


def verb(*examples: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Return a decorator for a verb, whose help ends with these examples."""
    return click.command(epilog="\n  ".join(("\b\nExamples:", *examples)))


def several(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Return a decorator that adds these options, in this order."""

    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def assign(help: str) -> Callable[[F], F]:
    """Return the option `--set`."""
    return click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=help)


PATH = click.Path(path_type=Path)
MODEL = click.option(
    "--model",
    type=PATH,
    metavar="DIR|NAME",
    help="Model folder, or one of `sentiment models`; the newest under artifacts, else imdb.",
)
DEVICES = click.Choice(["auto", "cpu", "cuda", "mps"])
DEVICE = click.option("--device", type=DEVICES, default="auto")
SET = assign("Change a setting, e.g. model.layers=2.")
FIX = assign("Fix a setting, which is then not searched.")
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
HOW_READ = several(  # a file
    click.option("--separator", metavar="S", help="Between the fields of a line; judged if left out."),
    click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first row names the columns; judged if left out.",
    ),
    click.option(
        "--encoding", metavar="E", help="Of the file, such as cp1252; UTF-8 or by its mark if left out."
    ),
)
OF_CORPUS = several(
    click.option("--validation", metavar="FILE|SPLIT", help="Validation texts, likewise."),
    click.option("--test", metavar="FILE|SPLIT", help="Test texts, if the corpus does not bring them."),
    TEXT_COLUMN,
    LABEL_COLUMN,
    HOW_READ,
)


def of_training(
    seed: str,
    recipe: str = "Settings that go together; --config and --set change them.",
    assignments: Callable[[Any], Any] = SET,
) -> Callable[[F], F]:
    """Return a decorator that adds the options that verbs of training share; the help of some differs."""
    return several(
        click.option("--recipe", metavar="NAME|FILE", help=recipe),
        click.option(
            "--config", "file", type=click.Path(path_type=Path, dir_okay=False), help="TOML with settings."
        ),
        assignments,
        OF_CORPUS,
        click.option("--device", type=DEVICES, help="Where to train."),
        click.option("--seed", type=click.IntRange(min=0), help=seed),
    )


def new_settings(
    resume: bool, device: str | None, options: dict[str, Any], **further: Any
) -> "Config | None":
    """Return the settings of a new run, or None where one goes on; then no other option may be given."""
    if not resume:
        extra = {"runtime.device": device, "runtime.deterministic": further.get("deterministic") or None}
        return settings_from(extra=extra, **options)
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in (options | further).items()
        if value not in (None, (), False)
    ]
    if given:
        names = ", ".join(given).replace("--assignments", "--set").replace("--file", "--config")
        raise UsageError(f"--resume goes on with the settings of the interrupted run; leave out {names}")
    return None


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
    """Return the settings, changed by the options."""
    from sentiment.core import config_io, recipes
    from sentiment.metrics.catalogue import checked

    base: dict[str, Any] = {}
    if recipe is not None:
        base = recipes.read(recipe).settings
        checked(config_io.parse(base), where=f"{recipe}: ")
    if init_from is not None:
        from sentiment.inference import pretrained

        base = config_io.merge(pretrained.shared_settings(init_from), base)

    overrides = dict(config_io.parse_override(assignment) for assignment in assignments)
    named = {"corpus.name": corpus, "seed": seed, "model.init_from": init_from, **(extra or {})}
    named |= {f"corpus.{name}": value for name, value in columns.items()}
    overrides |= {name: value for name, value in named.items() if value is not None}
    return checked(config_io.load(file, overrides, base), where=f"{file}: " if file else "")


def to_json(content: Any, indent: int | None = None) -> str:
    """Return JSON in characters that stdout can encode."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    return json.dumps(content, indent=indent, ensure_ascii=not unicode)


def show(result: Result, as_json: bool, render: Callable[[Result], Any]) -> None:
    """Print a result as JSON, or as `render` puts it."""
    if as_json:
        click.echo(to_json(result, indent=1))
    else:
        from rich.console import Console

        Console(highlight=False).print(render(result))
