"""The columns of a corpus: those that are asked for, those of training, or the likeliest."""

from collections.abc import Sequence

from sentiment.data.corpus import labels as meaning
from sentiment.data.corpus.columns.asked import Chosen, named_columns, unclear
from sentiment.data.corpus.columns.profile import (
    ENOUGH,
    KNOWN,
    LABEL_COLUMNS,
    MOSTLY,
    PAIRS,
    TEXT_COLUMNS,
    Column,
    look,
    share,
)
from sentiment.data.corpus.reading import Choice, joined_names
from sentiment.data.features import is_matrix, is_series
from sentiment.data.rows import Row
from sentiment.data.rows.row import is_number

LEFT = 0.5  # of the best score: from here another column is named as left
SHORT = 0.2  # likewise, for a column that is named as texts are, such as a title
TIE = 0.93  # of the best score: from here the choice stays open, unless a name decides
TEXTS = 0.4  # score of a column that is of texts, though features are beside it
POOR = 0.1  # score below which a column has a word for a text, again and again


def find(
    columns: Sequence[str],
    head: Sequence[Row],
    where: str,
    text: str | None = None,
    label: str | None = None,
    like: Choice | None = None,
    labelled: bool = True,
) -> Choice:
    """Choose the columns of texts and labels.

    Parameters
    ----------
    columns, head
        Of the file, and its first rows.
    where
        Begins messages.
    text, label
        What its owner asks for: a column, or several as a,b.
    like
        Columns of a corpus that this one goes with: those of training.
    labelled
        Whether labels are wanted.

    Raises
    ------
    CorpusError
        If a column is not there, or the choice stays open; then with the likeliest ones and the command.
    """
    profiles = [look(name, head) for name in columns]
    why: list[str] = []
    if like is not None and text is None and not _numbers_fit(profiles, like):
        why.append("its columns have no names, and are not those of training, so they are found anew")
        like = None
    split = next((column.name for column in profiles if column.is_split), None) if labelled else None
    profiles = [column for column in profiles if column.name != split]
    labels = Chosen(())
    if label is not None and labelled:
        labels = Chosen(named_columns(columns, label, "label", where))
    if text is not None:
        texts = Chosen(named_columns(columns, text, "text", where))
    else:
        rest = [column for column in profiles if column.name not in labels.columns]
        texts = choose_text(rest, where, like, head)
    if labelled and not labels.columns:
        rest = [column for column in profiles if column.name not in texts.columns]
        labels = choose_labels(rest, where, like)
    why += [*texts.why, *labels.why]
    if split is not None:
        why.append(f"the column {split!r} says which split a row is of")
    one_hot = len(labels.columns) > 1 and _is_one_hot(labels.columns, head)
    left = {what: chosen.left for what, chosen in (("text", texts), ("label", labels)) if chosen.left}
    return Choice(texts.columns, labels.columns, split, one_hot, tuple(why), left, len(columns))


def _numbers_fit(profiles: Sequence[Column], like: Choice) -> bool:
    """Whether the numbered columns of training are those of another file without a header.

    They are if it is as wide, and the text of training looks like a text here. Columns with names always fit.
    """
    by_name = {column.name: column for column in profiles}
    if not all(name.isdecimal() for name in (*like.text, *by_name)):
        return True
    if like.width not in (None, len(profiles)) or not set(like.text) <= set(by_name):
        return False
    best = max(column.text_score for column in profiles)
    return all(by_name[name].text_score >= LEFT * best for name in like.text)


def _is_one_hot(columns: Sequence[str], head: Sequence[Row]) -> bool:
    counts = []
    for row in head:
        try:
            names = meaning.marked(row.values, columns) if not row.error else None
        except ValueError:
            continue
        if names is not None:
            counts.append(len(names))
    return len(counts) >= ENOUGH and all(count == 1 for count in counts)


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
        column.name: 0.0 if column.is_named_label else column.text_score * column.text_weight
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
        known = _named_text(columns, like)
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
    weights = [column.text_weight for column in order]
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


def _named_text(columns: Sequence[Column], like: Choice | None) -> str | None:
    """Return a column with a usual name, or the only one, where no values look like texts."""
    folded = {column.name.casefold(): column.name for column in columns}
    known = next((folded[name] for name in TEXT_COLUMNS if name in folded), None)
    if known is None and len(columns) == 1:
        only = columns[0]
        if like is not None or (only.values and len(only.strings) == len(only.values)):
            return only.name
    return known


def choose_labels(columns: Sequence[Column], where: str, like: Choice | None) -> Chosen:
    """Choose the label column, or several of 0 and 1, among those that are not the text.

    Raises
    ------
    Unclear
        If the choice stays open.
    """
    lacking = ""
    if like is not None and like.labels:
        if {*like.labels} <= {column.name for column in columns}:
            return Chosen(like.labels)
        lacking = f"the label column of training, {joined_names(like.labels)}, is not there; "
    begin = f"{where}: {lacking}"
    few = [column for column in columns if column.is_few]
    candidates = sorted(
        few,
        key=lambda column: (
            -column.label_rank * (column.filled > 0.2),
            column.filled < MOSTLY,
            column.usual_place,
            column.distinct < 2,
        ),
    )
    candidates = [column for column in candidates if column.distinct > 1] or candidates
    best = candidates[0] if candidates else None
    rank = best.label_rank if best is not None else 0
    binary = [column for column in columns if column.is_binary and column.label_rank not in (0, 3)]
    if len(binary) > 1 and (rank < 2 or (best in binary and rank < 3)):
        others = [
            column
            for column in candidates
            if column not in binary and column.label_rank and column.distinct > 1
        ]
        highest = max(column.label_rank for column in binary)
        if any(
            column.label_rank >= highest and share(column.strings, is_number) < 0.5
            for column in others
            if column.strings
        ):
            raise unclear(columns, [*others, *binary], "label", begin)
        names = tuple(column.name for column in binary)
        why = f"{lacking}the labels are the columns of 0 and 1: {', '.join(map(repr, names))}"
        return Chosen(names, (why,), tuple(column.name for column in others))
    if best is None or rank == 0:
        named = _named_labels(columns, best)
        if named is None:
            order = sorted(
                columns, key=lambda column: (column not in few, -column.label_rank, column.distinct)
            )
            raise unclear(columns, order, "label", begin)
        return Chosen((named,), (f"{lacking}the label is {named!r}",))
    if rank == 1:  # the name says nothing
        rivals = best.distinct > 1 and any(column.label_rank == 1 for column in candidates[1:])
        doubtful = len(columns) > 1 or best.distinct == len(best.values)
        if rivals or (len(best.values) < ENOUGH and doubtful):
            raise unclear(columns, candidates, "label", begin)
    left = tuple(
        column.name
        for column in columns
        if column is not best
        and (column.label_rank > 1 or (column in few and column.distinct > 1 and column.label_rank == 1))
    )
    count = f"{best.distinct} value{'s' * (best.distinct != 1)} in the first {len(best.values):,} rows"
    return Chosen((best.name,), (f"{lacking}the label is {best.name!r} ({count})",), left[:5])


def _named_labels(columns: Sequence[Column], best: Column | None) -> str | None:
    """Return a column with a usual name, or the only one if its values repeat."""
    folded = {column.name.casefold().strip(): column.name for column in columns}
    named = next((folded[name] for name in LABEL_COLUMNS if name in folded), None)
    if named is None and len(columns) == 1 and best is not None and best.distinct < len(best.values):
        return columns[0].name
    return named
