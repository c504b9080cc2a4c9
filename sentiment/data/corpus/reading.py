"""How a corpus was read: its form and its columns, kept with a model and told to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sentiment.core.schema.corpus import ReadingFacts
from sentiment.data.rows import Form


@dataclass(frozen=True)
class Choice:
    """The columns of a corpus, and why these.

    Attributes
    ----------
    text
        One column, or several that are joined.
    labels
        One column, or several of 0 and 1; none where labels are not asked for.
    split
        The column that says which split a row is of, if there is one.
    one_hot
        Whether several label columns have exactly one 1 in each row.
    why
        A sentence for each choice that was made.
    left
        Likely columns that were left, by ``text`` and ``label``.
    width
        How many columns there are.
    """

    text: tuple[str, ...]
    labels: tuple[str, ...] = ()
    split: str | None = None
    one_hot: bool = False
    why: tuple[str, ...] = ()
    left: dict[str, tuple[str, ...]] = field(default_factory=dict)
    width: int | None = None


@dataclass(frozen=True)
class Reading:
    """How a corpus was read: kept in the manifest of a model, whose columns they are from then on.

    Attributes
    ----------
    form, choice
        What kind of file it is, and its columns.
    notes
        What else was found in reading.
    odd
        What is odd about its labels, with the setting that mends it.
    """

    form: Form
    choice: Choice
    notes: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()

    def as_dict(self) -> ReadingFacts:
        """Return a dictionary, ready for JSON."""
        choice = self.choice
        facts = {
            "text": list(choice.text),
            "labels": list(choice.labels),
            "split_column": choice.split,
            "width": choice.width,
            "why": list(choice.why),
            "left": {what: list(columns) for what, columns in choice.left.items()},
            **self.form.as_dict(),
            "notes": [*self.form.notes, *self.notes],
            "odd_labels": list(self.odd),
        }
        return cast(ReadingFacts, facts)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Reading":
        """Return the reading that a manifest holds."""
        choice = Choice(
            tuple(content["text"]),
            tuple(content["labels"]),
            content.get("split_column"),
            width=content.get("width"),
        )
        return cls(Form.from_dict(dict(content)), choice)

    def like_training(self, like: "Reading | None") -> "Reading":
        """Return the reading of another file, saying of columns that they are those of training."""
        if like is None or self.choice.text != like.choice.text or self.choice.why:
            return self
        said = f"the text is {joined_names(self.choice.text)}"
        if self.choice.labels and self.choice.labels == like.choice.labels:
            said += f", the label {joined_names(self.choice.labels)}"
        return replace(self, choice=replace(self.choice, why=(f"{said}, as in training",)))

    def told(self) -> list[str]:
        """Return sentences for people: what was chosen and why, what was left, found, and is odd."""
        lines = list(self.choice.why)
        for what, columns in self.choice.left.items():
            names = ", ".join(map(repr, columns))
            lines.append(f"left, though it may be the {what}: {names} (--{what}-column)")
        return [*lines, *self.form.notes, *self.notes, *self.odd]


def joined_names(names: Sequence[str]) -> str:
    """Return the names of columns that go together."""
    return " and ".join(map(repr, names))
