"""A folder → a corpus: folders of texts named by their labels, or files of rows named by their splits."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.audio import SUFFIXES, read_file, read_label
from sentiment.data.corpus.columns import SPLIT_NAMES
from sentiment.data.corpus.raw import RawCorpus, RawSplit, collect, find_task, meaning_of
from sentiment.data.corpus.reading import Choice, Reading
from sentiment.data.inputs import FeatureInput, Input, TextInput
from sentiment.data.rows import Form, Row, name_format

UNLABELLED = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
ROLES = ("train", "validation", "test")
BESIDE_SPLIT = {"set", "data", "dataset", "split", "texts", "files", "corpus"}  # words in a folder's name
OTHER = {"_background_noise_", "__MACOSX", "__pycache__"}  # noise of Speech Commands, what systems leave
TEXTS = (".txt", ".text")  # in any case
MAIL = ".eml"
KINDS = (".txt", *SUFFIXES, MAIL, "")  # a folder is read as the first of these that it has
CHOICE = Choice(("text",), ("label",))
UNUSED = ("text_column", "label_column", "label_file", "train", "validation", "test", "separator", "header")


def files_of_rows(folder: Path) -> dict[str, list[Path]]:
    """Return the files of rows in a folder by split, shards in order; none if texts are in folders.

    Files of plain lines count if they are named after splits. Forms for submissions do not count.
    """
    there = [file for file in _visible(folder) if file.is_file() and "submission" not in file.name.casefold()]
    files = [file for file in there if name_format(file) not in (None, "txt")]
    files = files or [file for file in there if name_format(file) == "txt" and _split_of(file.stem)]
    if any(child.is_dir() and _kind_of(child) is not None for child in _visible(folder)):
        return {}
    by_split: dict[str, list[Path]] = {}
    for file in files:
        words = re.split(r"[^a-z]+", file.name.casefold())
        role = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), None)
        if role is None:
            role = "unlabelled" if UNLABELLED & set(words) else "train"
        by_split.setdefault(role, []).append(file)
    return by_split if "train" in by_split else {}


def files_left(folder: Path, files: Mapping[str, list[Path]]) -> list[str]:
    """Return the names of what else is in a folder of files of rows."""
    taken = {file for paths in files.values() for file in paths}
    return [child.name for child in _visible(folder) if child not in taken]


def read_folder(path: Path, config: CorpusConfig) -> RawCorpus:
    """Read a folder with a folder of texts, mails, features or sounds for each label.

    Raises
    ------
    CorpusError
        If there are none; it says what is there.
    """
    for setting in UNUSED:
        if getattr(config, setting) is not None:
            raise UsageError(
                f"{path}: a folder of texts has no use for corpus.{setting}; "
                "its splits are folders named train, validation and test"
            )
    whole, path = path, _descended(path)
    layout = _layout(path)
    kind = layout.kind
    read_as: Input = FeatureInput() if kind in SUFFIXES else TextInput()
    task = find_task([], ["label"], config.task, str(path))
    left: Counter[str] = Counter()
    splits: dict[str, RawSplit] = {}
    for role, (folder, labels) in sorted(layout.splits.items(), key=lambda pair: ROLES.index(pair[0])):
        files = _labelled_files(path, folder, labels, kind, left)
        rows = (_read_one(file, kind, config, label) for file, label in files)
        splits[role] = collect(rows, CHOICE, read_as.read, meaning_of(config, task))
    unlabelled = RawSplit()
    for place in dict.fromkeys([path, *(folder for folder, _ in layout.splits.values() if folder)]):
        for child in _visible(place):
            if child.is_dir() and child.name.casefold() in UNLABELLED:
                texts, others = _files(child, kind)
                left.update(others)
                rows = (_read_one(file, kind, config) for file in texts)
                unlabelled.extend(collect(rows, Choice(("text",)), read_as.read))
    notes = [
        f"the folder {folder.name!r} with {sum(1 for _ in _all_files(folder)):,} files was left: its name "
        "says no split (train, validation, test)"
        for folder in layout.left
    ]
    if left:
        shown = ", ".join(
            f"{count:,} {suffix or 'without a suffix'}" for suffix, count in left.most_common(5)
        )
        notes.append(f"files of other kinds than {kind or 'those without a suffix'} were left: {shown}")
    reading = Reading(Form("folder", config.encoding or "utf-8"), CHOICE, tuple(notes))
    splits["unlabelled"] = unlabelled
    return RawCorpus(
        whole.resolve().name, str(whole), None, splits, task=task, reading=reading, input=read_as
    )


@dataclass(frozen=True)
class _Layout:
    """Where the texts of a folder stand.

    Attributes
    ----------
    splits
        By split: its own folder, if it has one, and the label folders in it.
    left
        Folders beside those of splits.
    kind
        Suffix of the files.
    """

    splits: dict[str, tuple[Path | None, list[tuple[str, Path]]]]
    left: list[Path]
    kind: str


def _descended(path: Path) -> Path:
    """Descend while a folder has nothing but one folder with folders in it."""
    while len(inner := _visible(path)) == 1 and inner[0].is_dir() and _label_folders(inner[0]):
        path = inner[0]
    return path


def _layout(path: Path) -> _Layout:
    """Tell splits and labels by the names of folders: split/label or label/split; else all are labels."""
    folders = _label_folders(path)
    names = {_split_of(folder.name) for folder in folders}
    roles: dict[str, Path] = {}
    for folder in folders:
        role = _split_of(folder.name)
        if role is not None and role in roles and "train" in names:
            raise CorpusError(
                f"{path}: both {roles[role].name} and {folder.name} are there; rename one of them"
            )
        if role is not None:
            roles[role] = folder
    splits: dict[str, tuple[Path | None, list[tuple[str, Path]]]]
    if "train" in roles or (len(roles) == len(folders) > 0 and all(map(_label_folders, folders))):
        splits = {
            role: (folder, [(label.name, label) for label in _label_folders(folder)])
            for role, folder in roles.items()
        }
        left = [folder for folder in folders if folder not in roles.values()]
        first = roles.get("train", next(iter(roles.values())))
        return _Layout(splits, left, _kind_in(first))
    inner = {label: {_split_of(part.name): part for part in _label_folders(label)} for label in folders}
    if folders and all("train" in parts and None not in parts for parts in inner.values()):
        splits = {}
        for label, parts in inner.items():
            for role, part in parts.items():
                splits.setdefault(str(role), (None, []))[1].append((label.name, part))
        return _Layout(splits, [], _kind_in(path))
    labels = [(label.name, label) for label in folders]
    return _Layout({"train": (path, labels)}, [], _kind_in(path))


def _kind_in(folder: Path) -> str:
    """Return the kind of files in the folders of labels, or in the folder itself."""
    kind = _kind_of(folder)
    if kind is not None:
        return kind
    return ".npz" if any(file.suffix == ".npz" for file in _visible(folder)) else ".txt"


def _split_of(name: str) -> str | None:
    """Return the split that a folder is named after: train, 01_train, test_set, Training Data."""
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word and word not in BESIDE_SPLIT]
    return SPLIT_NAMES.get(words[0]) if len(words) == 1 else None


def _visible(folder: Path) -> list[Path]:
    """Return what is in a folder, in order, without hidden things and what systems leave there."""
    return sorted(
        child for child in folder.iterdir() if not child.name.startswith(".") and child.name not in OTHER
    )


def _all_files(folder: Path) -> Iterator[Path]:
    for child in _visible(folder):
        if child.is_dir():
            yield from _all_files(child)
        elif child.is_file():
            yield child


def _suffix(file: Path) -> str:
    suffix = file.suffix.casefold()
    if suffix in TEXTS:
        return ".txt"
    return "" if re.fullmatch(r"\.\d*|", suffix) else suffix


def _files(folder: Path, kind: str) -> tuple[list[Path], Counter[str]]:
    """Return the files of a kind, those of folders within too, and count the others by their suffix."""
    files, left = [], Counter()  # type: list[Path], Counter[str]
    for file in _all_files(folder):
        if _suffix(file) == kind:
            files.append(file)
        else:
            left[file.suffix] += 1
    return files, left


def _label_folders(folder: Path) -> list[Path]:
    return [child for child in _visible(folder) if child.is_dir() and child.name.casefold() not in UNLABELLED]


def _kind_of(folder: Path) -> str | None:
    """Return the kind of files in the folders of labels, or None if there are none that are known."""
    there = {_suffix(file) for label in _label_folders(folder) for file in _all_files(label)}
    there |= {_suffix(file) for file in _all_files(folder)} if _split_of(folder.name) is not None else set()
    return next((kind for kind in KINDS if kind in there), None)


def _labelled_files(
    path: Path, folder: Path | None, labels: Sequence[tuple[str, Path]], kind: str, left: Counter[str]
) -> list[tuple[Path, str | None]]:
    """Return the files of a split with their labels, and count those of other kinds in `left`.

    A .npz may also stand in the folder of the split itself; then its label, None here, is in the file.

    Raises
    ------
    CorpusError
        If there are none; it says what is there.
    """
    files: list[tuple[Path, str | None]] = []
    for label, place in labels:
        chosen, others = _files(place, kind)
        files += [(file, label) for file in chosen]
        left.update(others)
    if kind == ".npz" and folder is not None:
        files += [(file, None) for file in _visible(folder) if file.suffix == ".npz"]
    if not files:
        folder = folder or path
        there = Counter(file.suffix or "files without a suffix" for file in _all_files(folder))
        what = ", ".join(f"{count:,} {suffix}" for suffix, count in there.most_common(5)) or "nothing"
        raise CorpusError(
            f"{folder}: no texts in it ({what}); a folder needs one folder for each label, with .txt files "
            f"in it (or .eml, {', '.join(SUFFIXES)})"
        )
    return files


def _read_one(file: Path, kind: str, config: CorpusConfig, label: str | None = None) -> Row:
    if kind == MAIL:
        return Row(str(file), {"text": _mail(file.read_bytes()), "label": label})
    if kind not in SUFFIXES:
        data = file.read_bytes()
        if b"\0" in data and config.encoding is None and not data.startswith((b"\xff\xfe", b"\xfe\xff")):
            return Row(str(file), {}, "it holds a zero byte")
        marked = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        try:
            text = data.decode(config.encoding or marked, errors="surrogateescape")
        except (LookupError, UnicodeError) as error:
            return Row(str(file), {}, f"cannot be decoded: {error}")
        return Row(str(file), {"text": text, "label": label})
    try:
        features = read_file(file, config)
        label = read_label(file) if label is None and file.suffix == ".npz" else label
    except ValueError as error:
        return Row(str(file), {}, str(error))
    return Row(str(file), {"text": features, "label": label, "id": f"{file.parent.name}/{file.name}"})


def _mail(data: bytes) -> str:
    """Return the subject and the body of a mail."""
    import email
    from email import policy

    message = email.message_from_bytes(data, policy=policy.default)
    body = message.get_body(("plain", "html"))
    try:
        content = body.get_content() if body is not None else ""
    except (LookupError, UnicodeError):
        content = ""
    return f"{message.get('subject', '')}\n{content}".strip()
