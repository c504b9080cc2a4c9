"""The choice of the text column."""

from collections.abc import Sequence

from sentiment.data.corpus.columns.names import KNOWN, PAIRS, TEXT_COLUMNS, text_weight
from sentiment.data.corpus.columns.outcome import Chosen, unclear
from sentiment.data.corpus.columns.profile import ENOUGH, Column, is_named_label, text_score
from sentiment.data.corpus.reading import Choice, joined_names
from sentiment.data.features import is_matrix, is_series
from sentiment.data.rows import Row

LEFT = 0.5  # of the best score: from here another column is named as left
SHORT = 0.2  # likewise, for a column that is named as texts are, such as a title
TIE = 0.93  # of the best score: from here the choice stays open, unless a name decides
TEXTS = 0.4  # score of a column that is of texts, though features are beside it
POOR = 0.1  # score below which a column has a word for a text, again and again


def choose_text(columns: Sequence[Column], where: str, like: Choice | None, head: Sequence[Row]) -> Chosen:
    """Choose the text column, or the two that make a pair, or the one of features.

    Raises
    ------
    Unclear
        If the choice stays open.
    """
    names = [column.name for column in columns]
    if like is not None and all(name in names for name in like.text):
        return Chosen(like.text)
    scores = {
        column.name: 0.0 if is_named_label(column) else text_score(column) * text_weight(column.name)
        for column in columns
    }
    features = _features(names, head)
    usual = {name.casefold() for name in names} & set(TEXT_COLUMNS)
    if features is not None and not usual and max(scores.values()) < TEXTS:
        return Chosen((features,), (f"the features are {features!r}",))
    order = sorted(columns, key=lambda column: -scores[column.name])
    lacking = ""
    if like is not None:
        lacking = f"the text column of training, {joined_names(like.text)}, is not there; "
    if not order or scores[order[0].name] == 0:
        known = _by_name(columns, like)
        if known is None:
            raise unclear(columns, order, "text", f"{where}: {lacking}")
        return Chosen((known,), (f"{lacking}the text is {known!r}",))
    best = order[0]
    near = [column for column in order if scores[column.name] >= LEFT * scores[best.name]]
    others = tuple(
        column.name
        for column in order[1:]
        if scores[column.name]
        >= (SHORT if column.name.casefold() in TEXT_COLUMNS else LEFT) * scores[best.name]
    )
    pair = [column.name for column in near if PAIRS.fullmatch(column.name)]
    if len(pair) == 2 and best.name in pair:
        both = tuple(name for name in names if name in pair)
        why = f"{lacking}the text is {both[0]!r} and {both[1]!r}, joined: they look like pairs"
        return Chosen(both, (why,), tuple(name for name in others if name not in pair))
    weights = [text_weight(column.name) for column in order]
    tied = len(order) > 1 and scores[order[1].name] >= TIE * scores[best.name] and weights[0] <= weights[1]
    short = best.words <= 3 and weights[0] <= 1 and len(near) > 1
    few = len(best.values) >= ENOUGH and scores[best.name] < POOR and weights[0] < KNOWN
    if tied or short or few:
        raise unclear(columns, order, "text", f"{where}: {lacking}")
    about = f"{best.words:.0f} words on average" if best.words >= 1 else "the only one of words"
    if len(best.values) >= ENOUGH:
        about += f", {best.distinct / len(best.values):.0%} different"
    return Chosen((best.name,), (f"{lacking}the text is {best.name!r} ({about})",), others)


def _features(names: Sequence[str], head: Sequence[Row]) -> str | None:
    """Return the first column of matrices, or else of series of numbers."""
    for fits in (is_matrix, is_series):
        for name in names:
            if any(fits(row.values.get(name)) for row in head):
                return name
    return None


def _by_name(columns: Sequence[Column], like: Choice | None) -> str | None:
    """Return a column with a usual name, or the only one, where no values look like texts."""
    folded = {column.name.casefold(): column.name for column in columns}
    known = next((folded[name] for name in TEXT_COLUMNS if name in folded), None)
    if known is None and len(columns) == 1:
        only = columns[0]
        if like is not None or (only.values and len(only.strings) == len(only.values)):
            return only.name
    return known
