"""A corpus by its name: a preset, a file or folder, or a Hub id → `RawCorpus`."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sentiment.core.errors import CorpusError, UsageError, did_you_mean, listed
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.strings import Say, printable, warn
from sentiment.data.corpus.columns import NoColumn, Unclear, find
from sentiment.data.corpus.folders import files_left, files_of_rows, read_folder
from sentiment.data.corpus.label_audit import odd_labels
from sentiment.data.corpus.presets import PRESETS, Preset
from sentiment.data.corpus.raw import Collector, RawCorpus, RawSplit, collect
from sentiment.data.corpus.reading import Choice, Reading
from sentiment.data.inputs import Input
from sentiment.data.rows import (
    COMPRESSED,
    FORMATS,
    LOOK_AHEAD,
    Asked,
    Form,
    Row,
    columns_of,
    read,
    read_rows,
)

HUB_ID = re.compile(r"(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?")
PLAIN = Choice(("text",), ("label",))  # columns of what is in the package


def read_corpus(config: CorpusConfig, like: Reading | None = None, say: Say = warn) -> RawCorpus:
    """Read all splits of a corpus, as they are, and say how.

    Parameters
    ----------
    like
        How the corpus of a model was read, for another one of the same kind: its columns come first.
    say
        Told what was guessed; a warning of Python's logging by default.

    Raises
    ------
    CorpusError
        If it does not exist or cannot be read.
    HubError
        If the Hub does not answer, or refuses.
    """
    raw = _read(config, like, say)
    if config.unlabelled is not None:
        raw.splits["unlabelled"] = _read_unlabelled(Path(config.unlabelled).expanduser(), config, raw.input)
    for role, split in raw.splits.items():
        if split.encoding is not None and raw.reading is not None:
            note = (
                f"texts of {role} are not UTF-8; they look like {split.encoding}: --encoding {split.encoding}"
            )
            known = any("--encoding" in line for line in raw.reading.told())
            raw.reading = raw.reading if known else replace(raw.reading, notes=(*raw.reading.notes, note))
    if raw.reading is not None and config.text_column is None:
        raw.reading = raw.reading.like_training(like)
    tell_corpus(raw, say)
    return raw


def tell_corpus(raw: RawCorpus, say: Say) -> None:
    """Say how a corpus was read and what is odd about its labels; its reading keeps both."""
    if raw.reading is None:
        return
    train = raw.splits.get("train", RawSplit()).labels
    every = [label for split in raw.splits.values() for label in split.labels]
    raw.reading = replace(raw.reading, odd=tuple(odd_labels(train, every, raw.task)))
    tell(raw.reading, raw.source, say)


def tell(reading: Reading, source: str, say: Say) -> None:
    """Say how something was read, where a choice was made."""
    for line in reading.told():
        say(printable(f"{source}: {line}"))


def asked_of(config: CorpusConfig) -> Asked:
    """Return what the settings say of a file."""
    return Asked(config.separator, config.header, config.encoding)


def _read(config: CorpusConfig, like: Reading | None, say: Say) -> RawCorpus:
    match = HUB_ID.fullmatch(config.name)
    preset = PRESETS.get(match["repo"]) if match else None
    if not config.name.strip():
        raise UsageError("the name of the corpus is empty")
    path = Path(os.path.expanduser(config.name))
    if preset is not None and preset.file is not None:
        if config.name not in PRESETS:
            raise UsageError(
                f"{config.name}: {match and match['repo']} is in the package; leave out the rest"
            )
        return _read_files(
            {"train": [preset.path()]}, config, config.name, config.name, Reading(Form("jsonl"), PLAIN)
        )
    if preset is None and (path.exists() or _looks_like_file(config.name)):
        if path.is_dir():
            files = files_of_rows(path)
            if not files:
                return read_folder(path, config)
            return _read_files(files, config, path.resolve().name, str(path), like)
        return _read_files({"train": [path]}, config, _stem(path), str(path), like)
    if match is None or (preset is None and "/" not in match["repo"]):
        known = [*PRESETS, *(name for name in os.listdir() if not name.startswith("."))]
        raise CorpusError(
            f"{config.name}: no such corpus, file or folder{did_you_mean(config.name, known, 0.6)}; give a "
            f"preset ({', '.join(PRESETS)}), a file, or a Hub id such as org/name"
        )
    from sentiment.data.corpus.hub import read_hub

    if preset is None:
        preset, name = Preset("", match["repo"]), match["repo"].rpartition("/")[2]
    else:
        name = match["repo"]
    return read_hub(preset, config, name, match["config"], match["revision"], like, say)


def _stem(path: Path) -> str:
    while path.suffix:
        path = path.with_suffix("")
    return path.name


def _looks_like_file(name: str) -> bool:
    """Whether a name is rather a path: by how it begins or ends, or because its folder is there."""
    data = (*(f".{suffix}" for suffix in FORMATS), *COMPRESSED, ".zip")
    if name.startswith((".", "/", "~")) or name.lower().endswith(data) or name.count("/") > 1:
        return True
    return "/" in name and Path(name).parent.is_dir()


def _read_files(
    files: dict[str, list[Path]], config: CorpusConfig, name: str, source: str, like: Reading | None
) -> RawCorpus:
    if config.train is not None:
        raise UsageError(f"corpus.train names a split of a Hub corpus, and {source} is a file")
    given = {
        role: [Path(file)] for role in ("validation", "test") if (file := getattr(config, role)) is not None
    }
    roles = files | given
    several = sum(map(len, files.values())) > 1
    beginnings: dict[str, set[Any]] = {}  # the first texts of each file
    first = None
    for role in ("train", "validation", "test"):
        for path in roles.get(role, ()):
            try:
                parts, first = _read_file(path, config, first, like, role)
            except Unclear as error:
                if first is None or role != "test" or role in given:
                    raise
                first.note(f"{path.name} was left: {error}")
                continue
            begin = set(parts[role].texts[:LOOK_AHEAD]) if several and role in parts else set()
            for other, texts in beginnings.items():
                if begin and begin <= texts:
                    first.note(f"{path.name} seems to have the same texts as {other}")
            beginnings[path.name] = begin
            first.take(role, parts, given, f"{path.name}: ")
    assert first is not None
    if several:
        told = (f"{role}: {', '.join(path.name for path in paths)}" for role, paths in files.items())
        first.note(f"its files: {'; '.join(told)}")
    if Path(source).is_dir() and (others := files_left(Path(source), files)):
        first.note(f"files that were left: {listed(others)}")
    order = first.marked_labels()
    for path in files.get("unlabelled", []):
        first.splits.setdefault("unlabelled", RawSplit()).extend(_read_unlabelled(path, config, first.input))
    return first.corpus(name, source, order)


def _read_file(
    path: Path, config: CorpusConfig, first: Collector | None, like: Reading | None, role: str
) -> tuple[dict[str, RawSplit], Collector]:
    """Return the usable rows of a file by split, and what the first file of the corpus says of all."""
    goes_with = first.reading if first is not None else like
    if config.label_file is not None and role == "train":
        form, rows = _beside(path, Path(config.label_file).expanduser(), config)
    else:
        form, rows = read(path, asked_of(config), goes_with.form if goes_with else None, lines=False)
    rows, columns, head = columns_of(rows)
    if not head:
        raise CorpusError(f"{path}: there are no rows in it")
    if not columns:
        raise CorpusError(f"{head[0].where}: {head[0].error}; no row at the start of the file can be read")
    known = goes_with.choice if goes_with else None
    try:
        choice = find(columns, head, str(path), config.text_column, config.label_column, known)
    except NoColumn:
        if first is None:
            raise
        choice = find(columns, head, str(path), like=known)  # what is asked for are the columns of training
    reading = Reading(form, choice)
    if first is None:
        first = Collector.of(head, reading, config, str(path))
        if any(_is_object(row.values.get(choice.labels[0])) for row in head):
            first.meaning = replace(first.meaning, lists=True)
    else:
        for line in [line for line in reading.told() if line not in first.reading.told()]:
            first.note(f"{path.name}: {line}")
    return first.sort(rows, role, choice), first


def _is_object(value: Any) -> bool:
    """Whether a value is an object of labels, which may have a single one for each text."""
    return isinstance(value, dict) or (isinstance(value, str) and value.startswith('{"choices"'))


def _beside(texts: Path, labels: Path, config: CorpusConfig) -> tuple[Form, Iterator[Row]]:
    """Return the rows of two files of lines: texts, and their labels."""

    def rows() -> Iterator[Row]:
        both = zip_longest(read_rows(texts, "txt"), read_rows(labels, "txt"))
        for number, (text, label) in enumerate(both, 1):
            if text is None or label is None:
                short = texts if text is None else labels
                raise CorpusError(f"{short}: it ends at line {number - 1}, and the other file goes on")
            error = text.error or label.error
            yield Row(text.where, {**text.values, "label": label.values.get("text")}, error)

    return Form("txt", config.encoding or "utf-8", notes=(f"labels are the lines of {labels}",)), rows()


def _read_unlabelled(path: Path, config: CorpusConfig, like: Input) -> RawSplit:
    rows, columns, head = columns_of(read(path, Asked(None, None, config.encoding))[1])
    if not head:
        raise CorpusError(f"{path}: there are no rows in it")
    wanted = config.text_column
    if wanted is not None and not set(wanted.split(",")) <= set(columns):
        wanted = None  # a .txt has its own name for it
    choice = find(columns, head, str(path), wanted, labelled=False)
    return collect(rows, choice, like.read)
