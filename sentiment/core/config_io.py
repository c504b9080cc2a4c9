"""Read settings from TOML and overrides, and write them with their comments."""

import copy
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic
import tomlkit

from sentiment.core.config import Config
from sentiment.core.errors import UsageError, did_you_mean
from sentiment.core.sections import Section

MAPS = {"corpus.labels"}  # settings that are tables themselves


def load(
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    base: Mapping[str, Any] | None = None,
) -> Config:
    """Merge the defaults, a base, a TOML file and overrides, in this order.

    Parameters
    ----------
    file
        TOML with any part of the settings.
    overrides
        Dotted names to values, such as ``{"model.layers": 2}``.
    base
        Nested settings, such as those of a recipe.

    Raises
    ------
    UsageError
        If the file cannot be read, or a key or value is not known.
    """
    tree = merge(base or {}, read_toml(file) if file is not None else {})
    for name, value in (overrides or {}).items():
        _insert(tree, name, value)
    return parse(tree, where=f"{file}: " if file else "")


def read_toml(file: Path) -> dict[str, Any]:
    """Read a TOML file; UsageError if it cannot be read, or is none."""
    try:
        return tomllib.loads(file.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: not valid TOML: {error}") from error


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested settings in which those `above` replace those `below`, one by one."""
    both = copy.deepcopy(dict(below))
    for name, value in above.items():
        below_it = both.get(name)
        if isinstance(below_it, Mapping) and isinstance(value, Mapping):
            both[name] = merge(below_it, value)
        else:
            both[name] = copy.deepcopy(value)
    return both


def parse(tree: Mapping[str, Any], where: str = "") -> Config:
    """Check a nested mapping of settings; `where` begins the message of an error."""
    _refuse_unknown(tree, where)
    try:
        return Config.model_validate(tree)
    except pydantic.ValidationError as error:
        raise UsageError(where + "; ".join(_explain(item) for item in error.errors())) from None


def parse_override(assignment: str) -> tuple[str, Any]:
    """Split ``key=value``; the value is read as TOML, or as a plain string if it is none."""
    name, equals, text = assignment.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {assignment}: write it as key=value, for instance model.layers=2")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    return name.strip(), value


def dumps(config: Config) -> str:
    """Write all settings as TOML, each with its comment; unset ones are commented out."""
    document = tomlkit.document()
    document.add(tomlkit.comment("All settings of this run. Unset ones are commented out."))
    _write(document, config)
    return tomlkit.dumps(document)


def names(section: type[Section] = Config, prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings."""
    for name, field in section.model_fields.items():
        if _is_section(field.annotation):
            yield from names(field.annotation, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            yield prefix + name


def section_names() -> set[str]:
    return {name for name, field in Config.model_fields.items() if _is_section(field.annotation)}


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Section)


def _insert(tree: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise UsageError(f"unknown setting {name!r}{did_you_mean(name, names())}")
    tree[last] = value


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value and prefix + name not in MAPS:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _refuse_unknown(tree: Mapping[str, Any], where: str) -> None:
    known = set(names())
    for name in _flatten(tree):
        if name not in known | section_names():
            leaves = {item.rpartition(".")[2]: item for item in known}
            leaf = leaves.get(name.rpartition(".")[2])  # a right name in the wrong section
            hint = f" (did you mean {leaf!r}?)" if leaf else did_you_mean(name, known)
            raise UsageError(f"{where}unknown setting {name!r}{hint}")


def _explain(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if not item["loc"]:
        return str(message)
    # A union's errors go on with the type that was tried; a setting is two names deep at most.
    name = ".".join(map(str, item["loc"][: 1 if item["loc"][0] not in section_names() else 2]))
    return f"setting {name}: {message[0].lower() + message[1:]}, not {item['input']!r}"


def _write(table: Any, section: Section) -> None:
    nested: list[tuple[str, Section]] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, Section):
            nested.append((name, value))
        elif value is None:
            table.add(tomlkit.comment(f"{name} =  # {field.description}"))
        else:
            item = tomlkit.item(value)
            if isinstance(value, dict):
                item = tomlkit.inline_table()
                item.update(value)
            table.add(name, item.comment(field.description or ""))
    for name, value in nested:
        child = tomlkit.table()
        _write(child, value)
        table.add(name, child)


def changed(config: Config) -> Iterable[tuple[str, Any]]:
    """Yield the dotted names and values that differ from the defaults."""
    default, tree = Config().model_dump(), config.model_dump()
    for name in names():
        section, _, leaf = name.rpartition(".")
        before, now = (default[section], tree[section]) if section else (default, tree)
        if before[leaf] != now[leaf]:
            yield name, now[leaf]
