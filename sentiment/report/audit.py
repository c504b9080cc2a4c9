"""The findings of an audit in sentences, and for a terminal."""

from typing import Any

from sentiment.core.schema.corpus import Audit, ReadingFacts
from sentiment.core.strings import printable
from sentiment.data.corpus.oddities import SHOWN
from sentiment.report.words import INPUTS, TASKS


def render(result: Audit) -> Any:
    """Return the findings for a terminal."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    corpus = result["corpus"]
    table = Table(box=box.SIMPLE_HEAD)
    texts, classes = INPUTS[result["kind"]].texts, TASKS[result["task"]].labels
    for name in ("split", texts, classes, f"{unit(result)}s: median", "95 %", "most", "unusable rows"):
        table.add_column(name, justify="left" if name in ("split", classes) else "right")
    for role, split in result["splits"].items():
        total, words = max(1, split["texts"]), split["words"]
        shares = [f"{name} {count:,} ({count / total:.0%})" for name, count in split["labels"].items()]
        more = [f"and {len(shares) - SHOWN} more"] if len(shares) > SHOWN else []
        cells = [
            role,
            f"{split['texts']:,}",
            ", ".join(shares[:SHOWN] + more),
            *(f"{words[key]:,}" for key in ("median", "95th percentile", "most")),
            f"{split['unusable_rows']['count']:,}",
        ]
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


def unit(result: Audit) -> str:
    """Return what the lengths of texts are counted in: word, character, or step of features."""
    return next((split.get("unit", "word") for split in result["splits"].values()), "word")


def findings(result: Audit) -> list[str]:
    """Return what calls for attention, a sentence each."""
    features = result["kind"] == "features"
    texts = INPUTS[result["kind"]].texts
    lines = [
        f"{role}: {split['cardinality']:.2f} labels a text, in {split['label_sets']:,} different sets"
        for role, split in result["splits"].items()
        if "cardinality" in split
    ]
    if lines:
        lines.append("patterns that tell the label are not searched where a text may have several")
    lines += result.get("labels") or []
    lines += [
        f"the {one['kind']} {one['token']!r} tells the label: {one['share']:.1%} of the {one['count']:,} "
        f"training texts with it are {one['label']} ({one['lift']:.1f} times the usual share)"
        for one in result["leakage"]
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
    for pair in result["repeats"]:
        where = "repeat another one there" if pair["of"] == pair["in"] else f"are also in {pair['in']}"
        alike = "" if features else f", {pair['normalised']:,} but for case and punctuation"
        lines.append(f"{pair['of']}: {pair['exact']:,} {texts} {where} exactly{alike}")
    conflicts = result["conflicts"]
    lines += [
        f"{conflicts['count']:,} {texts} have two labels, such as ({', '.join(one['labels'])}): {one['text']}"
        for one in conflicts["examples"][:1]
    ]
    if near := result["near_duplicates"]:
        lines += [
            f"{pair['of']}: {pair['count']:,} texts nearly repeat one in {pair['in']} "
            f"(similarity ≥ {near['similarity']})"
            for pair in near["by_splits"]
        ]
        lines += [f"such as: {first} — and: {second}" for first, second in near["examples"][:1]]
    return lines
