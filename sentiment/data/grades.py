"""The order of grades, such as 1 to 5 stars: by their numbers, or as it is given."""

import re
from collections.abc import Collection, Sequence

from sentiment.core.errors import CorpusError, UsageError, listed

NUMBER = re.compile(r"[-+−]?\d{1,15}(?:\.\d{1,15})?(?!\.?\d)")  # −2, 3.5, 4 stars


def numbers(names: Sequence[str]) -> list[float] | None:
    """Return the numbers that the names of grades begin with, if all do and no two are equal."""
    parsed = [match and float(match[0].replace("−", "-")) for match in map(NUMBER.match, names)]
    values = [value for value in parsed if value is not None]
    return values if len(set(values)) == len(names) else None


def in_order(
    found: Collection[str], given: Sequence[str] | None, known: Sequence[str] | None, source: str
) -> tuple[str, ...]:
    """Return the grades of a corpus from the lowest to the highest.

    Parameters
    ----------
    found
        The labels of its training texts.
    given
        The order by ``corpus.grades``, if it is set.
    known
        The order of the source's own numbers, if it numbers them. Numbers in the names go before it.

    Raises
    ------
    CorpusError
        If nothing says what the order is, or there are fewer than three.
    UsageError
        If `given` names other grades.
    """
    if len(found) < 3:
        raise CorpusError(
            f"{source}: {listed(sorted(found))} are two classes, which have no order to learn; leave out "
            "corpus.task=ordinal"
        )
    if given is not None:
        if sorted(given) != sorted(found):
            raise UsageError(
                f"corpus.grades = {','.join(given)}: give each label of the training texts of {source} once, "
                f"which are: {listed(sorted(found))}"
            )
        return tuple(given)
    names = sorted(found)
    if values := numbers(names):
        return tuple(sorted(names, key=dict(zip(names, values, strict=True)).__getitem__))
    if known is not None:
        return tuple(name for name in known if name in found)
    raise CorpusError(
        f"{source}: the labels {listed(names)} do not say their order; give it, lowest first: "
        f"--set 'corpus.grades={','.join(names)}', in the right order"
    )
