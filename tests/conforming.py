"""Says where JSON content differs from a type of `sentiment.core.schema`."""

import types
import typing
from collections.abc import Iterator
from typing import Any, NotRequired, Union, get_args, get_origin

from sentiment.core.schema.scores import Scores
from sentiment.metrics.catalogue import SCORES


def faults(content: Any, kind: Any, place: str = "") -> Iterator[str]:
    """Yield a line for each key that is missing or unknown, and each value of another type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is NotRequired:
        yield from faults(content, inner[0], place)
    elif origin in (Union, types.UnionType):
        told = [list(faults(content, one, place)) for one in inner]
        yield from min(told, key=len)
    elif typing.is_typeddict(kind):
        yield from _of_keys(content, kind, place)
    elif origin is list:
        if not isinstance(content, list):
            yield f"{place}: {content!r} is no list"
            return
        for number, one in enumerate(content):
            yield from faults(one, inner[0], f"{place}[{number}]")
    elif origin is dict:
        if not isinstance(content, dict):
            yield f"{place}: {content!r} is no dictionary"
            return
        for name, value in content.items():
            yield from faults(name, inner[0], place)
            yield from faults(value, inner[1], f"{place}.{name}")
    elif origin is typing.Literal:
        if content not in inner:
            yield f"{place}: {content!r} is none of {inner}"
    elif not _fits(content, kind):
        yield f"{place}: {content!r} is no {kind}"


def _of_keys(content: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(content, dict):
        yield f"{place}: {content!r} is no {kind.__name__}"
        return
    hints = typing.get_type_hints(kind, include_extras=True)
    if hints.keys() >= Scores.__required_keys__:  # what holds scores may hold each of the catalogue
        hints = dict.fromkeys(SCORES, NotRequired[float | None]) | hints
    needed = {name for name, one in hints.items() if get_origin(one) is not NotRequired}
    yield from (f"{place}: {name} is missing" for name in sorted(needed - content.keys()))
    yield from (
        f"{place}: {name} is not in {kind.__name__}" for name in sorted(content.keys() - hints.keys())
    )
    for name in content.keys() & hints.keys():
        yield from faults(content[name], hints[name], f"{place}.{name}")


def _fits(content: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(content, int | float) and not isinstance(content, bool)
    if kind is int:
        return isinstance(content, int) and not isinstance(content, bool)
    return isinstance(content, kind)
