"""A report as Markdown, the README of a bundle, and as tables for a terminal."""

from typing import TYPE_CHECKING, Any

from sentiment.core.schema.report import Report
from sentiment.core.strings import isolated, printable, quoted
from sentiment.report.document import Passage, Section, Table
from sentiment.report.sections import sections
from sentiment.report.words import of_input

if TYPE_CHECKING:
    from rich.console import RenderableType

TERMINAL, CARD = (110, 5), (200, 10)  # characters shown of a text, and mistakes


def render(report: Report) -> "RenderableType":
    """Return the report for a terminal."""
    from rich.console import Group
    from rich.table import Table as Grid
    from rich.text import Text

    parts: list[RenderableType] = [Text(printable(report["verdict"]), "bold")]
    for section in sections(report, *TERMINAL):
        parts += ["", Text(section.title, "bold")]
        bullet = "•" if len(section.sentences) > 1 else ""
        for pairs in ([(bullet, sentence) for sentence in section.sentences], section.pairs):
            grid = Grid.grid(padding=(0, 2 if pairs is section.pairs else bool(bullet)))
            for name, text in pairs:
                grid.add_row(Text(name, "dim"), Text(printable(text)))
            parts += [grid] * bool(pairs)
        for table in section.tables:
            parts += ["", _grid(table)]
    return Group(*parts)


def card(report: Report) -> str:
    """Return the report as Markdown: the README of a bundle."""
    name = report.get("corpus", {}).get("name")
    blocks = [f"# {_escaped(name)} classifier" if name else "# Report", _escaped(report["verdict"])]
    for section in sections(report, *CARD):
        blocks.append(f"## {section.title}")
        blocks += _listed(section)
        for table in section.tables:
            blocks += [text for text in (table.title, _markdown(table), table.note) if text]
        if section.pairs:
            blocks.append("\n".join(f"- {name}: {_escaped(text)}" for name, text in section.pairs))
    if "training" in report:
        blocks += [
            "## Use",
            f"    sentiment predict {of_input(report).argument} --model DIR\n"
            "    sentiment report DIR --html FILE",
        ]
    return "\n\n".join(blocks) + "\n"


def _listed(section: Section) -> list[str]:
    """Return sentences as a list, or a single one as a paragraph."""
    sentences = [_escaped(sentence) for sentence in section.sentences]
    return ["\n".join(f"- {sentence}" for sentence in sentences)] if len(sentences) > 1 else sentences


def _grid(table: Table) -> Any:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(
        box=box.SIMPLE_HEAD,
        title=table.title or None,
        caption=table.note or None,
        title_justify="left",
        caption_justify="left",
        title_style="",
        padding=(0, 1),
        pad_edge=False,
        show_edge=False,
    )
    for index, name in enumerate(table.head):
        wordy = index in table.wordy
        grid.add_column(
            Text(printable(name)),
            justify="left" if wordy else "right",
            overflow="fold",
            no_wrap=not wordy,
            style="bold" if index == table.strong else "",
        )
    for row in table.rows:
        grid.add_row(*(Text(printable(str(cell))) for cell in row))  # a label may look like markup
    return grid


def _markdown(table: Table) -> str:
    rule = ["---" if index in table.wordy else "---:" for index in range(len(table.head))]
    lines = [[_escaped(cell) for cell in table.head], rule]
    lines += [
        [quoted(_plain(str(cell))) if isinstance(cell, Passage) else _escaped(str(cell)) for cell in row]
        for row in table.rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is, and in which no name changes the order of the rest."""
    return isolated(_plain(text))


def _plain(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*<|#" else char for char in printable(text))
