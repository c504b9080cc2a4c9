"""The choice of the label column, or of several columns of 0 and 1."""

from collections.abc import Sequence

from sentiment.data.corpus.columns.names import LABEL_COLUMNS, label_rank, usual_place
from sentiment.data.corpus.columns.outcome import Chosen, unclear
from sentiment.data.corpus.columns.profile import ENOUGH, MOSTLY, Column, is_binary, is_few, share
from sentiment.data.corpus.reading import Choice, joined_names
from sentiment.data.rows.cells import is_number


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
    ranks = {column.name: label_rank(column.name) for column in columns}
    few = [column for column in columns if is_few(column)]
    candidates = sorted(
        few,
        key=lambda column: (
            -ranks[column.name] * (column.filled > 0.2),
            column.filled < MOSTLY,
            usual_place(column.name),
            column.distinct < 2,
        ),
    )
    candidates = [column for column in candidates if column.distinct > 1] or candidates
    best = candidates[0] if candidates else None
    rank = ranks[best.name] if best is not None else 0
    binary = [column for column in columns if is_binary(column) and ranks[column.name] not in (0, 3)]
    if len(binary) > 1 and (rank < 2 or (best in binary and rank < 3)):
        others = [
            column
            for column in candidates
            if column not in binary and ranks[column.name] and column.distinct > 1
        ]
        highest = max(ranks[column.name] for column in binary)
        if any(
            ranks[column.name] >= highest and share(column.strings, is_number) < 0.5
            for column in others
            if column.strings
        ):
            raise unclear(columns, [*others, *binary], "label", begin)
        names = tuple(column.name for column in binary)
        why = f"{lacking}the labels are the columns of 0 and 1: {', '.join(map(repr, names))}"
        return Chosen(names, (why,), tuple(column.name for column in others))
    if best is None or rank == 0:
        named = _by_name(columns, best)
        if named is None:
            order = sorted(
                columns, key=lambda column: (column not in few, -ranks[column.name], column.distinct)
            )
            raise unclear(columns, order, "label", begin)
        return Chosen((named,), (f"{lacking}the label is {named!r}",))
    if rank == 1:  # the name says nothing
        rivals = best.distinct > 1 and any(ranks[column.name] == 1 for column in candidates[1:])
        doubtful = len(columns) > 1 or best.distinct == len(best.values)
        if rivals or (len(best.values) < ENOUGH and doubtful):
            raise unclear(columns, candidates, "label", begin)
    left = tuple(
        column.name
        for column in columns
        if column is not best
        and (ranks[column.name] > 1 or (column in few and column.distinct > 1 and ranks[column.name] == 1))
    )
    count = f"{best.distinct} value{'s' * (best.distinct != 1)} in the first {len(best.values):,} rows"
    return Chosen((best.name,), (f"{lacking}the label is {best.name!r} ({count})",), left[:5])


def _by_name(columns: Sequence[Column], best: Column | None) -> str | None:
    """Return a column with a usual name, or the only one if its values repeat."""
    folded = {column.name.casefold().strip(): column.name for column in columns}
    named = next((folded[name] for name in LABEL_COLUMNS if name in folded), None)
    if named is None and len(columns) == 1 and best is not None and best.distinct < len(best.values):
        return columns[0].name
    return named
