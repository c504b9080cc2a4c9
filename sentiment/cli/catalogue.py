"""`sentiment models`, `sentiment corpora` and `sentiment recipes`: what comes with the package."""

from pathlib import Path

import click

from sentiment.cli.options import (
    example,
    to_json,
)


@click.command(
    epilog=example(
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
        click.echo(to_json(found, indent=1))
        return
    if not found:
        click.echo("no model comes with this copy of the package; train one with: sentiment train", err=True)
    for model in found:
        click.echo(f"{model['name']}  {', '.join(model['labels'])}; {model['bytes'] / 1e6:.1f} MB")
        click.echo(f"  trained on {model['corpus']['source']}: {model['data']}")
        click.echo(f"  {model['verdict']}")
        click.echo(f"  its report: {Path(model['folder']) / 'report.html'}")


@click.command(epilog=example("sentiment corpora"))
def corpora() -> None:
    """List the corpora that have a short name, with what each needs."""
    from sentiment.data.corpus.presets import PRESETS

    wide = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        click.echo(f"{name:<{wide}}  {preset.about}; {preset.size}")
        click.echo(f"{'':<{wide}}  needs {preset.needs}")


@click.command(
    epilog=example(
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
        click.echo(to_json(found, indent=1))
        return
    wide = max(len(recipe["name"]) for recipe in found)
    for recipe in found:
        click.echo(f"{recipe['name']:<{wide}}  {recipe['about']}")
        for key in ("command", "costs", "reaches"):
            click.echo(f"{'':<{wide}}  {key}: {recipe[key]}")
