"""Recipes: settings that go together, as TOML files beside this one, each with what it costs and reaches."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from sentiment.core import config_io
from sentiment.core.errors import UsageError, did_you_mean

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Recipe:
    """Settings that go together, and what is known of them."""

    name: str
    about: str  # what it is made of
    command: str  # that reproduces its figures
    costs: str  # as it was measured, or that it was not yet
    reaches: str  # likewise
    settings: dict[str, Any]  # nested, without those that stay at their defaults


def names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name: str) -> Recipe:
    """Read a recipe and check its settings.

    Parameters
    ----------
    name
        One of `names`, or a TOML file: settings, and the table ``[recipe]``, which may be left out there.

    Raises
    ------
    UsageError
        If there is no such recipe, or its settings are not known ones.
    """
    own = not name.endswith(".toml")
    path = FOLDER / f"{name}.toml" if own else Path(name).expanduser()
    if own and name not in names():
        raise UsageError(
            f"--recipe {name}: there is no such recipe{did_you_mean(name, names())}; "
            "see: sentiment recipes, or give a file .toml"
        )
    tree = config_io.read_toml(path)
    known = tree.pop("recipe", {})
    texts = [field.name for field in fields(Recipe) if field.name not in ("name", "settings")]
    if not isinstance(known, Mapping) or not set(known) <= set(texts):
        raise UsageError(f"{path}: the table [recipe] has other keys than {', '.join(texts)}")
    config_io.parse(tree, where=f"{path}: ")
    return Recipe(path.stem, **{text: str(known.get(text, "")) for text in texts}, settings=tree)
