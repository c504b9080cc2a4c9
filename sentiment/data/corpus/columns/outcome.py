"""What comes of a choice: the columns, or the question which ones."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sentiment.core.errors import CorpusError
from sentiment.data.corpus.columns.asked import listed_columns
from sentiment.data.corpus.columns.names import label_rank
from sentiment.data.corpus.columns.profile import Column, is_few, is_named_label, text_score


class Unclear(CorpusError):
    """No column that is surely the text, or the label."""


class Chosen(NamedTuple):
    """The columns that were chosen, sentences that say why, and likely columns that were left."""

    columns: tuple[str, ...]
    why: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def unclear(columns: Sequence[Column], order: Sequence[Column], what: str, begin: str) -> Unclear:
    """Return the error of a choice that stays open: it names the likeliest columns, each with an example.

    Parameters
    ----------
    order
        The columns, likeliest first.
    what
        "text" or "label".
    begin
        Begins the message.
    """
    if not columns:
        return Unclear(
            f"{begin}no column is left for the {what}: a corpus needs one of texts and one of labels"
        )
    names = listed_columns([column.name for column in columns])
    if what == "text":
        likely = [column for column in order if text_score(column) > 0 and not is_named_label(column)][:3]
    else:
        likely = [column for column in order if is_few(column) and label_rank(column.name)][:3]
    if not likely:
        return Unclear(
            f"{begin}no column looks like the {what}; name it with --{what}-column; the columns are: {names}"
        )
    shown = "; ".join(f"{column.name!r} (such as: {column.example})" for column in likely)
    return Unclear(
        f"{begin}no column is surely the {what}; the likeliest: {shown}; say which, for instance with "
        f"--{what}-column {_quoted(likely[0].name)}; the columns are: {names}"
    )


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'
