"""The findings of an audit: all of them for a terminal, those of a report in short."""

from collections.abc import Iterator, Sequence
from typing import Any

from sentiment.core.schema.corpus import Audit, AuditSplit, ReadingFacts
from sentiment.core.strings import printable
from sentiment.data.corpus.oddities import SHOWN
from sentiment.data.inputs import of_kind
from sentiment.report.phrases import percent
from sentiment.report.words import WORDS

SHOWN_IN_REPORT = 6  # classes of a split


def render(result: Audit) -> Any:
    """Return the findings for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    corpus = result["corpus"]
    table = Table(box=box.SIMPLE_HEAD)
    classes = WORDS[result["task"]].task.noun[1]
    lengths = (f"{unit(result)}s: median", "95 %", "most")
    for name in ("split", _texts(result), classes, *lengths, "unusable rows"):
        table.add_column(name, justify="left" if name in ("split", classes) else "right")
    for role, split in result["splits"].items():
        total = max(1, split["texts"])
        shares = [f"{name} {count:,} ({count / total:.0%})" for name, count in split["labels"].items()]
        cells = [*_cells(role, split, _first(shares, SHOWN)), f"{split['unusable_rows']['count']:,}"]
        table.add_row(*(Text(printable(cell)) for cell in cells))
    title = f"{corpus['source']} {(corpus['revision'] or '')[:12]}"
    lines = findings(result)
    if "refused" in result:
        lines.append(f"training stops at this: {result['refused']}")
    lines = lines or ["nothing that calls for attention"]
    return Group(
        Text(printable(title), "bold"),
        *(Text(printable(line)) for line in read_as(result.get("reading"))),
        table,
        Text("Findings", "bold"),
        *(Text(printable(f"- {line}")) for line in lines),
    )


def read_as(reading: ReadingFacts | None) -> list[str]:
    """Say in sentences how a file was read."""
    if reading is None:
        return []
    lines = list(reading["why"])
    lines += [
        f"left, though it may be the {what}: {', '.join(map(repr, columns))}"
        for what, columns in reading["left"].items()
    ]
    return [*lines, *reading["notes"]]


def unit(audit: Audit) -> str:
    """Return what the lengths of texts are counted in: word, character, or step of features."""
    return next((split.get("unit", "word") for split in audit["splits"].values()), "word")


def findings(result: Audit) -> list[str]:
    """Return what calls for attention, a sentence each, with examples."""
    texts = _texts(result)
    lines = [
        f"{role}: {split['cardinality']:.2f} labels a text, in {split['label_sets']:,} different sets"
        for role, split in result["splits"].items()
        if "cardinality" in split
    ]
    if lines:
        lines.append("patterns that tell the label are not searched where a text may have several")
    lines += result.get("labels") or []
    lines += [
        f"the {leak['kind']} {leak['token']!r} tells the label: {leak['share']:.1%} of the {leak['count']:,} "
        f"training texts with it are {leak['label']} ({leak['lift']:.1f} times the usual share)"
        for leak in result["leakage"]
    ]
    for role, split in result["splits"].items():
        scripts = [name for name in split["scripts"] if name != "(none)"]
        lines += [
            f"{role}: {split['scripts'][name]:,} texts are mostly {name}, while most are {scripts[0]}"
            for name in scripts[1:]
        ]
        lines += [f"{role}: {example}" for example in split["unusable_rows"]["examples"]]
        lines += [
            f"{role}: {odd['count']:,} {texts} with {name}, such as: {odd['example']}"
            for name, odd in split["oddities"].items()
        ]
    lines += _repeats(result)
    conflicts = result["conflicts"]
    lines += [
        f"{conflicts['count']:,} {texts} have two labels, "
        f"such as ({', '.join(pair['labels'])}): {pair['text']}"
        for pair in conflicts["examples"][:1]
    ]
    lines += _near(result)
    near = result["near_duplicates"]
    examples = near["examples"] if near else []
    return lines + [f"such as: {first} — and: {second}" for first, second in examples[:1]]


def in_short(audit: Audit) -> list[str]:
    """Return what calls for attention in a report: counts, no examples."""
    texts = _texts(audit)
    lines = [f"{line[:1].upper()}{line[1:]}" for line in audit.get("labels", [])]
    lines += _repeats(audit)
    if conflicts := audit.get("conflicts", {}).get("count"):
        lines.append(f"{conflicts:,} {texts} occur with two labels")
    lines += _near(audit)
    for role, split in audit.get("splits", {}).items():
        if unusable := split["unusable_rows"]["count"]:
            lines.append(f"{role}: {unusable:,} rows have no usable {texts[:-1]} or label")
        lines += [f"{role}: {odd['count']:,} {texts} with {name}" for name, odd in split["oddities"].items()]
    return [f"{line}." for line in lines]


def splits(audit: Audit) -> tuple[list[str], list[list[Any]]]:
    """Return the head and the rows of a report's table of splits: texts, classes, lengths."""
    rows: list[list[Any]] = []
    for role, split in audit["splits"].items():
        total = max(1, split["texts"])
        shares = [f"{name} {percent(count / total)}" for name, count in split["labels"].items()]
        rows.append(_cells(role, split, _first(shares, SHOWN_IN_REPORT)))
    return ["split", _texts(audit), "classes", f"median {unit(audit)}s", "95 %", "most"], rows


def _texts(audit: Audit) -> str:
    return of_kind(audit.get("kind")).noun


def _cells(role: str, split: AuditSplit, classes: str) -> list[str]:
    words = split["words"]
    lengths = words["median"], words["95th percentile"], words["most"]
    return [role, f"{split['texts']:,}", classes, *(f"{length:,}" for length in lengths)]


def _first(shares: Sequence[str], most: int) -> str:
    more = [f"and {len(shares) - most} more"] if len(shares) > most else []
    return ", ".join([*shares[:most], *more])


def _repeats(audit: Audit) -> Iterator[str]:
    texts = _texts(audit)
    for pair in audit.get("repeats", []):
        where = "repeat another one there" if pair["of"] == pair["in"] else f"are also in {pair['in']}"
        alike = f", {pair['normalised']:,} but for case and punctuation" if texts == "texts" else ""
        yield f"{pair['of']}: {pair['exact']:,} {texts} {where} exactly{alike}"


def _near(audit: Audit) -> Iterator[str]:
    if near := audit.get("near_duplicates"):
        for pair in near["by_splits"]:
            yield (
                f"{pair['of']}: {pair['count']:,} texts nearly repeat one in {pair['in']} "
                f"(similarity ≥ {near['similarity']})"
            )
