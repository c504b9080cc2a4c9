"""What is odd about the labels of a corpus: spellings of one, several in a cell, words for none."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from sentiment.data.corpus.labels import Label, Task, folded, names_in

BARE_LIST = re.compile(r"\[[^\[\]]*,[^\[\]]*\]")  # [a, b]
DOUBTFUL = {  # labels that may mean no label
    "n/a", "na", "n.a.", "-", "--", "?", ".", "\\n", "#ref!", "#value!", "#div/0!", "nil", "nan", "null",
    "none", "undefined", "missing", "unlabeled", "unlabelled", "(null)", "<na>", "(none)", "#n/a",
}  # fmt: skip
SHOWN = 12  # groups of labels that are written alike
SEPARATORS = "|;,#/+&\n"  # between labels in a cell, likeliest first
ENOUGH = 10  # cells, from which their parts tell something


def alike(names: Collection[str]) -> list[list[str]]:
    """Return groups of labels that differ only by case, spaces, invisible characters or form of number."""
    groups: dict[str, list[str]] = {}
    for name in names:
        key = folded(name)
        if re.fullmatch(r"[-+]?\d+([.,]\d+)?", key):
            key = format(Decimal(key.replace(",", ".")).normalize(), "f")
        groups.setdefault(key, []).append(name)
    return [sorted(group) for group in groups.values() if len(group) > 1]


def odd_labels(train: Sequence[Label | None], every: Sequence[Label | None], task: Task) -> list[str]:
    """Say what is odd about labels, with the setting that mends it.

    Told are labels that are written alike, that may stand for no label, or that seem to be several in one,
    and several labels a text where each has one.

    Parameters
    ----------
    train, every
        Labels of the training texts, and of all.
    """
    counts = Counter(name for label in every for name in names_in(label))
    lines = [
        f"the labels {' and '.join(map(repr, group))} are written alike, and are different classes; "
        "--set corpus.label_spelling=fold joins what differs by case, spaces or invisible characters, and "
        "corpus.labels renames"
        for group in alike(counts)[:SHOWN]
    ]
    lines += [
        f"the label {name!r}, of {count:,} texts, may stand for no label; if so, leave these texts out with "
        f"--set 'corpus.labels={{{json.dumps(name)} = \"\"}}' --set corpus.invalid_rows=drop"
        for name, count in counts.items()
        if name.casefold() in DOUBTFUL
    ]
    given = [names_in(label) for label in train if label is not None]
    cells = [names[0] for names in given if len(names) == 1]
    separator = joined_by(cells)
    written = next((name for name in counts if BARE_LIST.fullmatch(name)), None)
    if written is not None:
        lines.append(
            f'the label {written!r} looks like a list, but is not one of JSON; write ["a", "b"], or divide '
            "it with --set 'corpus.label_separator=\",\"'"
        )
    elif separator is not None:
        some = next(cell for cell in cells if separator in cell)
        lines.append(
            f"several labels seem to be in one cell, such as {some!r}; divide them with --set "
            f"'corpus.label_separator={json.dumps(separator)}'"
        )
    elif task == "multilabel" and given and len(cells) == len(given):
        lines.append("each text has exactly one label; --set corpus.task=multiclass reads them as classes")
    return lines


def joined_by(cells: Iterable[str]) -> str | None:
    """Return the likely separator between several labels in a cell, or None if each cell has one label.

    A separator is likely if most parts occur in several different cells, or a part is a cell by itself.
    """
    counts = Counter(cell.strip() for cell in cells)
    if sum(counts.values()) < ENOUGH:
        return None
    for separator in SEPARATORS:
        divided = {cell: [part.strip() for part in cell.split(separator) if part.strip()] for cell in counts}
        several = [parts for parts in divided.values() if len(parts) > 1]
        if not several or not all(_short(part) for parts in several for part in parts):
            continue
        among = Counter(part for parts in divided.values() for part in set(parts))
        mixed = {part for parts in several for part in parts}
        again = sum(among[part] > 1 for part in mixed)
        if len(mixed) > 1 and (again > 0.5 * len(mixed) or mixed & set(counts)):
            return separator
    return None


def _short(part: str) -> bool:
    return 0 < len(part.strip()) <= 30 and len(part.split()) <= 3
