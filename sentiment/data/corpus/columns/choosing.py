"""The columns of a corpus: those that are asked for, those of training, or the likeliest."""

from collections.abc import Sequence

from sentiment.data.corpus import labels as meaning
from sentiment.data.corpus.columns.asked import named_columns
from sentiment.data.corpus.columns.label import choose_labels
from sentiment.data.corpus.columns.outcome import Chosen
from sentiment.data.corpus.columns.profile import ENOUGH, Column, is_split, look, text_score
from sentiment.data.corpus.columns.text import LEFT, choose_text
from sentiment.data.corpus.reading import Choice
from sentiment.data.rows import Row


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
    split = next((column.name for column in profiles if is_split(column)), None) if labelled else None
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
    best = max(map(text_score, profiles))
    return all(text_score(by_name[name]) >= LEFT * best for name in like.text)


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
