"""How a plot looks, and how it becomes SVG to stand in a page, or a PNG file.

Colours are names: in SVG they become CSS variables of the page, light or dark; PNG has the light ones.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from sentiment.core.strings import printable
from sentiment.report.phrases import width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch
    from matplotlib.ticker import Locator

# Name → light, dark. Blue and orange keep apart for the colour-blind, as do their lightnesses; as text,
# each has a contrast of at least 4.5 on its ground.
PALETTE = {
    "ground": ("#ffffff", "#15191e"),
    "ink": ("#1c2127", "#e9ecef"),
    "muted": ("#59636e", "#a5afba"),
    "rule": ("#dde1e6", "#343c45"),
    "first": ("#0b62a8", "#6db3f7"),
    "second": ("#b04a00", "#f5a35c"),
    "third": ("#00745a", "#4fcfa6"),
    "fourth": ("#86399b", "#d7a2ef"),
}
GROUND, INK, MUTED, RULE, FIRST, SECOND, THIRD, FOURTH = (light for light, _ in PALETTE.values())
SERIES = (FIRST, SECOND, THIRD, FOURTH)
WIDTH, HEIGHT = 360, 270  # of a plot in units, each a pixel of a phone
SCRIPTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Microsoft YaHei", "PingFang SC", "Noto Sans Arabic",
           "Noto Sans Devanagari")  # fmt: skip # what DejaVu lacks, for PNG
DASHED = (0, (4, 3))
NAME = 22  # columns of text for the name of a class
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: the page's fonts, found by search and read aloud
    "font.size": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": RULE,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "text.color": INK,
    "text.parse_math": False,
    "lines.linewidth": 2,
    "path.simplify": True,
}
_lock = threading.Lock()  # rc_context changes settings of the whole process, for a moment


@dataclass(frozen=True)
class Plot:
    """A plot that can be drawn.

    Attributes
    ----------
    caption
        A sentence beneath it, or nothing.
    description
        What it shows, for those who do not see it.
    draw
        Fills the figure that it is given.
    size
        Width and height in units.
    """

    name: str
    title: str
    caption: str
    description: str
    draw: Callable[[Figure], None]
    size: tuple[float, float] = (WIDTH, HEIGHT)


def svg(plot: Plot) -> str:
    """Return a plot as SVG to stand in a page; the same for the same plot."""
    buffer = BytesIO()
    with _drawn(plot) as figure:
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _plain(root)
    label = printable(f"{plot.title}. {plot.description}")
    root.attrib = {"viewBox": "0 0 {:g} {:g}".format(*plot.size), "role": "img", "aria-label": label}
    return ElementTree.tostring(root, encoding="unicode")


def png(plot: Plot, path: Path) -> None:
    """Write a plot as PNG, with its title."""
    with _drawn(plot) as figure:
        figure.suptitle(plot.title, fontsize=13, fontweight="bold", x=0.02, ha="left")
        figure.savefig(path, format="png", dpi=144, metadata={"Software": None})


def percents(axis: Axis) -> None:
    """Label an axis in percent."""
    axis.set_major_formatter(lambda value, _: f"{100 * value:.6g} %")


def thousands(axis: Axis) -> None:
    """Label an axis in whole numbers."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def few(count: int, *, integer: bool = False) -> Locator:
    """Return a locator of few ticks."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(count, integer=integer, min_n_ticks=1 if integer else 2)


def cell(x: float, y: float, alpha: float, color: str) -> Patch:
    """Return a cell of a matrix."""
    from matplotlib.patches import Rectangle

    return Rectangle((x - 0.48, y - 0.48), 0.96, 0.96, facecolor=color, alpha=alpha, linewidth=0)


def bare(axes: Axes) -> None:
    """Take away the frame, the grid and the ticks."""
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def room_for(figure: Figure, names: Sequence[str]) -> None:
    """Widen the margin for characters that a page draws wider than matplotlib, whose font lacks them."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    engine = figure.get_layout_engine()
    left = 6 * max(width(name) - len(name) for name in names) / (72 * figure.get_figwidth())
    if left and isinstance(engine, ConstrainedLayoutEngine):
        engine.set(rect=(left, 0, 1 - left, 1))


@contextmanager
def _drawn(plot: Plot) -> Iterator[Figure]:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.font_manager import fontManager

    present = set(fontManager.get_font_names())
    fonts = ["DejaVu Sans", *(name for name in SCRIPTS if name in present)]
    style = STYLE | {"font.family": fonts, "svg.hashsalt": plot.name}
    with _lock, matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()  # what a user has set is for the user's own plots
        matplotlib.rcParams.update(style)
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's fonts will have it
        figure = Figure(figsize=(plot.size[0] / 72, plot.size[1] / 72), layout="constrained")
        plot.draw(figure)
        yield figure


def _plain(root: ElementTree.Element) -> None:
    """Take away what a page does not need: namespaces, names, fonts, digits; make colours variables."""
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        element.tail = None
        element.text = element.text if (element.text or "").strip() else None
    used = set(re.findall(r"#([\w-]+)[\")]", ElementTree.tostring(root, encoding="unicode")))
    for element in root.iter():
        for child in list(element):
            if child.tag in ("metadata", "style"):
                element.remove(child)
        if element.get("id") not in used:
            element.attrib.pop("id", None)
        for name in ("d", "x", "y", "transform"):
            if name in element.attrib:
                short = re.sub(r"\d+\.\d{3,}", _two_decimals, element.attrib[name])
                element.set(name, " ".join(short.split()))
        style = re.sub(r"font-family: [^;]*;? ?", "", element.attrib.get("style", ""))
        for name, (light, _) in PALETTE.items():
            style = style.replace(light, f"var(--{name})")
        if style:
            element.set("style", style)


def _two_decimals(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
