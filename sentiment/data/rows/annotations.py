"""Exports of annotation tools (Label Studio, Prodigy) and nested objects → plain columns."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from sentiment.data.rows.row import NoLabel, Row

LOOK = 50  # rows that tell the tool
Values = dict[str, Any]


def adapted(rows: Iterator[Row]) -> tuple[tuple[str, ...], Iterator[Row]]:
    """Return rows with plain columns, and notes on the tool that wrote them."""
    head = list(islice(rows, LOOK))
    values = [row.values for row in head if not row.error]
    change, note = _tool(values)
    everything = chain(head, rows)
    if change is None:
        return (), everything
    return (note,) if note else (), (
        row if row.error else row._replace(values=change(row.values)) for row in everything
    )


def _tool(values: list[Values]) -> tuple[Callable[[Values], Values] | None, str]:
    if values and all(isinstance(v.get("data"), dict) and "annotations" in v for v in values):
        return _label_studio, "written by Label Studio: labels are the choices of the first annotation"
    if values and all("answer" in v and ("accept" in v or "label" in v) for v in values):
        return _prodigy, "written by Prodigy: only what was accepted is a label"
    nested = sorted(
        {key for v in values for key, item in v.items() if isinstance(item, dict) and is_nested(item)}
    )
    if nested:
        return lambda v: flat(v, nested), ""
    return None, ""


def is_nested(value: Mapping[str, Any]) -> bool:
    """Whether an object holds columns, rather than numbers by label or choices."""
    return "choices" not in value and any(isinstance(item, str | dict) for item in value.values())


def flat(values: Values, names: list[str]) -> Values:
    """Flatten the objects of some columns into columns named ``outer.inner``."""
    columns: Values = {}
    for key, value in values.items():
        if key in names and isinstance(value, dict):
            columns |= {f"{key}.{inner}": item for inner, item in value.items()}
        elif key not in names or value is not None:
            columns[key] = value
    return columns


def _label_studio(values: Values) -> Values:
    columns = dict(values["data"])
    annotations = [done for done in values["annotations"] or [] if not done.get("was_cancelled")]
    labels: list[Any] = []
    for result in annotations[0].get("result", []) if annotations else []:
        inner = result.get("value", {})
        labels += next((inner[key] for key in ("choices", "labels", "taxonomy") if key in inner), [])
        if "rating" in inner:
            labels.append(inner["rating"])
    label: Any = labels if len(labels) != 1 else labels[0]
    if not annotations:
        label = NoLabel("the task has no annotation")
    elif not labels:
        label = NoLabel("the annotation has no choice in it")
    return columns | {"id": values.get("id"), "label": label}


def _prodigy(values: Values) -> Values:
    columns = {key: value for key, value in values.items() if not key.startswith("_")}
    answer, options = columns.pop("answer"), columns.pop("options", None)
    chosen = columns.pop("accept", columns.get("label"))
    if answer != "accept":
        columns["label"] = NoLabel(f"the annotator answered {answer!r}, so it is no label to train on")
    else:
        single = isinstance(chosen, list) and len(chosen) == 1 and options is not None
        columns["label"] = chosen[0] if single else chosen
    return columns
