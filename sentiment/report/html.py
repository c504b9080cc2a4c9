"""One self-contained page from one report: no script, no font, no picture from elsewhere."""

import re
from itertools import pairwise
from pathlib import Path

from sentiment.core.files import write_text
from sentiment.core.schema.report import Report
from sentiment.core.strings import isolated, printable
from sentiment.report.document import Passage
from sentiment.report.figure import PALETTE, svg
from sentiment.report.plots import plots
from sentiment.report.scores import key_figures
from sentiment.report.sections import sections

NAME = "report.html"
TEMPLATE = "report.html.j2"
NO_BREAK = "\N{NO-BREAK SPACE}"


def write(report: Report, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_text(path, page(report))


def page(report: Report) -> str:
    """Return the page; the same for the same report."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["together"] = together
    environment.filters["pieces"] = pieces
    environment.tests["passage"] = lambda cell: isinstance(cell, Passage)
    return environment.get_template(TEMPLATE).render(
        verdict=report["verdict"],
        name=report.get("corpus", {}).get("name"),
        figures=key_figures(report),
        plots=[(plot, Markup(svg(plot))) for plot in plots(report)],
        sections=sections(report),
        palette=PALETTE,
    )


def together(text: str) -> str:
    """Keep on one line what belongs together: 89.1 %, p < 0.001, [88.8, 89.5]; nothing steers the page."""
    return re.sub(
        r" (?=%)|(?<=\bp) (?=[=<])|(?<=[=<]) (?=\d)|(?<=\d,) (?=\S+\])", NO_BREAK, isolated(printable(text))
    )


def pieces(passage: Passage) -> list[tuple[str, float]]:
    """Divide a passage into pieces, each with the weight of its words, 0 between them."""
    weights = [0.0] * len(passage.text)
    for start, end, weight in passage.marks:
        weights[start:end] = [weight] * (end - start)
    starts = [0] + [place for place, (one, other) in enumerate(pairwise(weights), 1) if one != other]
    return [
        (passage.text[start:end], weights[start])
        for start, end in pairwise([*starts, len(weights)])
        if start < end
    ]
