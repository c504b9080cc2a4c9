"""How a file is read: the options that were given, and the form that was found."""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Asked:
    """The options that say how a file is to be read; what is None is judged from the file.

    Attributes
    ----------
    separator
        Separator of the fields: one or more characters, or ``tab``, ``space``, ``\\t``, ``\\x01``.
    header
        Whether the first row names the columns.
    encoding
        Python's name of the encoding.
    """

    separator: str | None = None
    header: bool | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        if self.separator is not None:
            object.__setattr__(self, "separator", _called(self.separator))


def _called(separator: str) -> str:
    """Return the separator that a name or a code stands for, as a shell can hardly pass a tab."""
    code = re.fullmatch(r"\\x([0-9a-fA-F]{2})", separator)
    names = {"tab": "\t", "\\t": "\t", "space": " "}
    return chr(int(code[1], 16)) if code else names.get(separator.casefold(), separator)


NOTHING = Asked()


@dataclass(frozen=True)
class Form:
    """How a file is read.

    Attributes
    ----------
    format
        csv (any separator), jsonl, array (of JSON), txt, fasttext, parquet or xlsx.
    encoding
        Encoding of the text; None for binary formats.
    separator
        Separator of the fields; None if a line is one field, and for other formats.
    split
        Whether a line is divided at each separator, or only at the first or the last one.
    quote
        The quote around a field that holds separators or line ends.
    escape
        Whether a quote in a quoted field is written with a backslash, rather than doubled.
    spaces
        Whether spaces follow a separator and are no part of the field.
    header
        Whether the first row names the columns; else they are numbered from 1.
    columns
        The names in its header, if it has one.
    notes
        Sentences for the user on what is unusual.
    """

    format: str
    encoding: str | None = None
    separator: str | None = None
    split: Literal["all", "first", "last"] = "all"
    quote: str = '"'
    escape: bool = False
    spaces: bool = False
    header: bool = True
    columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def noted(self, note: str) -> "Form":
        """Return it with a further note."""
        return replace(self, notes=(*self.notes, note))

    def as_dict(self) -> dict[str, Any]:
        """Return a dictionary, ready for JSON, without the notes."""
        content = asdict(self)
        del content["notes"]
        return content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Form":
        """Return the form that a dictionary describes; unknown keys are ignored."""
        known = {name: content[name] for name in cls.__dataclass_fields__ if name in content}
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        return cls(**known | lists)
