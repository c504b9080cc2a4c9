"""The content of a report, section by section: what terminal, Markdown and HTML share.

Cells are finished strings. A part that a report lacks leaves nothing behind.
"""

from sentiment.core.schema.report import Report
from sentiment.data.scripts import long_words
from sentiment.report.audit import in_short, splits
from sentiment.report.classes import WORST, classes
from sentiment.report.decision import decision
from sentiment.report.document import Cell, Section, Table
from sentiment.report.errors import mistakes, slices, suspects
from sentiment.report.phrases import percent
from sentiment.report.provenance import facts
from sentiment.report.scores import scores


def sections(report: Report, letters: int = 600, most: int = WORST) -> list[Section]:
    """Return what a report says, with `most` mistakes and suspects.

    Their texts are cut to `letters`, around the words of most weight.
    """
    every = (
        scores(report),
        decision(report),
        classes(report),
        slices(report),
        mistakes(report, letters, most),
        suspects(report, letters, most),
        _audit(report),
        Section("made", "How it was made", pairs=facts(report)),
    )
    return [section for section in every if section]


def _audit(report: Report) -> Section:
    audit = report.get("audit")
    if not audit:
        return Section("audit", "The corpus")
    lines = in_short(audit)
    tokens = report.get("tokenizer", {})
    if message := long_words(tokens.get("kind", ""), tokens.get("train", {}).get("characters", 0)):
        lines.insert(0, message)
    if not lines and not audit.get("leakage"):
        lines = ["Nothing in it calls for attention."]
    tables = []
    if audit.get("splits"):
        tables.append(Table(*splits(audit), "Splits", wordy=(0, 2)))
    leaks: list[list[Cell]] = [
        [
            f"{one.get('kind', '')} {one['token']}".strip(),
            one["label"],
            f"{one['count']:,}",
            percent(one["share"]),
            f"{one['lift']:.2f}",
        ]
        for one in audit.get("leakage", [])[:WORST]
    ]
    if leaks:
        head = ["token", "label", "texts", "with the label", "lift"]
        tables.append(Table(head, leaks, "Tokens that alone predict a label", wordy=(0, 1)))
    return Section("audit", "The corpus", lines, tables)
