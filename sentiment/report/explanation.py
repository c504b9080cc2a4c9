"""Explanations for people: coloured text with a table in the terminal, or one HTML page.

Blue speaks for the class and orange against it; the strongest word of a text has the full colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from sentiment.core.strings import isolated, printable
from sentiment.inference.explain import Explanation, Word

if TYPE_CHECKING:
    from rich.console import RenderableType

TOP = 8  # words for and against in the table
FOR, AGAINST = (37, 99, 235), (234, 108, 16)  # told apart by the colour-blind too
FAINT = 0.08  # share of the strongest weight below which a word has no colour


def segments(explanation: Explanation) -> Iterator[tuple[str, Word | None]]:
    """Yield the whole text in pieces: its words, and what stands between them."""
    at = 0
    for word in explanation.words:
        if word.start > at:
            yield explanation.text[at : word.start], None
        yield word.text, word
        at = word.end
    if at < len(explanation.text):
        yield explanation.text[at:], None


def render(explanation: Explanation) -> RenderableType:
    """Return an explanation for a terminal; its table says all without colours too."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    text, strongest = Text(), _strongest(explanation)
    for piece, word in segments(explanation):
        if word is None:
            style = ""
        elif word.weight is None:
            style = "dim strike"
        else:
            share = word.weight / strongest
            red, green, blue = (round(255 + (end - 255) * abs(share)) for end in _colour(share))
            style = f"#000000 on #{red:02x}{green:02x}{blue:02x}" if abs(share) > FAINT else ""
        text.append(printable(piece), style)
    table = Table(box=box.SIMPLE_HEAD)
    against = "against" if explanation.against is None else f"against: for {explanation.against}"
    for side in (f"for {explanation.explained}", against):
        table.add_column(Text(printable(side)))
        for name in ("weight", "left out"):
            table.add_column(name, justify="right")
    sides = [explanation.strongest(TOP, favour) for favour in (True, False)]
    for row in range(max(map(len, sides))):
        cells = [_cells(side[row], explanation.text) if row < len(side) else ["", "", ""] for side in sides]
        table.add_row(*(Text(cell) for three in cells for cell in three))
    head = Text(printable(_headline(explanation)), "bold")
    return Group(head, "", text, table, Text(printable(_footnote(explanation)), "dim"))


def page(explanations: Iterable[Explanation]) -> str:
    """Return one HTML page, which needs nothing else."""
    explanations = list(explanations)
    body = "\n".join(map(_article, explanations))
    words = f"{explanations[0].unit}s" if explanations else "words"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Which {words} carried the decision</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.6 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }}
h2 {{ font-size: 1.1rem; margin: 2.5rem 0 .5rem; overflow-wrap: anywhere; }}
p.text {{ white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.9; }}
p.text span {{ border-radius: .2em; padding: .1em .05em; }}
.cut {{ opacity: .5; text-decoration: line-through; }}
footer, .key {{ font-size: .85rem; opacity: .75; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>Which {words} carried the decision</h1>
<p class="key"><span style="{_css(0.6)}">blue</span> speaks for the class,
<span style="{_css(-0.6)}">orange</span> against it; <span class="cut">struck {words}</span> were not read.
Hold the pointer over a {words[:-1]} for its weight.</p>
{body}
</body>
</html>
"""


def _article(explanation: Explanation) -> str:
    strongest = _strongest(explanation)
    pieces = []
    for piece, word in segments(explanation):
        shown = escape(piece)
        if word is None:
            pieces.append(shown)
        elif word.weight is None:
            pieces.append(f'<span class="cut" title="not read">{shown}</span>')
        else:
            share = word.weight / strongest
            style = f' style="{_css(share)}"' if abs(share) > FAINT else ""
            weight, drop = _signed(word.weight), _signed(word.leave_one_out)
            pieces.append(
                f'<span data-weight="{weight}" title="{weight}; left out: {drop}"{style}>{shown}</span>'
            )
    return (
        f"<article>\n<h2>{escape(isolated(_headline(explanation)))}</h2>\n"
        f'<p class="text" dir="auto">{"".join(pieces)}</p>\n'
        f"<footer>{escape(_footnote(explanation))}</footer>\n</article>"
    )


def _headline(explanation: Explanation) -> str:
    leaning = f"unsure, rather {explanation.label}" if explanation.unsure else explanation.label
    told = f"{leaning} ({explanation.probability:.1%})"
    if explanation.against is None:
        return f"{leaning}; explained is {explanation.explained} ({explanation.explained_probability:.1%})"
    if explanation.explained == explanation.label:
        return f"{told}, against {explanation.against}"
    share = f"{explanation.explained} ({explanation.explained_probability:.1%})"
    return f"{told}; explained is {share} against {explanation.against}"


def _footnote(explanation: Explanation) -> str:
    cut = sum(word.weight is None for word in explanation.words)
    start, whole = ("empty words", "text") if explanation.unit == "word" else ("mean steps", "sequence")
    what = "logit" if explanation.against is None else "difference of logits"
    parts = [
        f"The weights take the {what} from "
        f"{explanation.baseline_difference:+.3f} ({start}) to {explanation.difference:+.3f}, "
        f"but for {explanation.completeness_error:+.4f} ({explanation.steps} steps)."
    ]
    if explanation.agreement is not None:
        parts.append(
            f"Rank correlation with leaving out each {explanation.unit}: {explanation.agreement:.2f}."
        )
    if cut:
        parts.append(f"The {whole} is too long: {cut} of its {explanation.unit}s were not read.")
    return " ".join(parts)


def _cells(word: Word, text: str) -> list[str]:
    """Return a word for the table; a part of a longer run of letters, as of DNA or Chinese, has its place."""
    inside = word.text[:1].isalnum() and (text[: word.start][-1:] + text[word.end : word.end + 1]).isalnum()
    name = f"{word.text} at {word.start + 1}" if inside else word.text
    return [printable(name), _signed(word.weight), _signed(word.leave_one_out)]


def _signed(value: float | None) -> str:
    return "not tried" if value is None else f"{value:+.3f}"


def _strongest(explanation: Explanation) -> float:
    return max((abs(word.weight) for word in explanation.words if word.weight), default=1.0)


def _colour(share: float) -> tuple[int, int, int]:
    return FOR if share > 0 else AGAINST


def _css(share: float) -> str:
    return f"background: rgb({' '.join(map(str, _colour(share)))} / {0.55 * abs(share):.2f})"
