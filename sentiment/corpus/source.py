"""A corpus by its name: a preset, a file or folder, or a Hub id → `RawCorpus`."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sentiment.audio import SUFFIXES, read_file, read_label
from sentiment.config import CorpusConfig
from sentiment.corpus.presets import PRESETS, Preset
from sentiment.corpus.raw import (
    RawCorpus,
    RawSplit,
    Task,
    check_marked,
    collect,
    find_input,
    find_labels,
    find_task,
    reader_of,
)
from sentiment.errors import CorpusError, UsageError, did_you_mean
from sentiment.features import Reader
from sentiment.rows import COMPRESSED, Row, columns_of, file_format, read_rows, read_text

HUB_ID = re.compile(r"(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?")
UNLABELLED = {"unsup", "unsupervised", "unlabelled", "unlabeled"}
OTHER = {"_background_noise_"}  # beside the words of Speech Commands
KINDS = (".txt", *SUFFIXES)  # files of a folder: the first kind that is there is the one that is read


def read_corpus(config: CorpusConfig) -> RawCorpus:
    """Read all splits of a corpus, as they are.

    Raises
    ------
    CorpusError
        If it does not exist or cannot be read.
    HubError
        If the Hub does not answer, or refuses.
    """
    raw = _read(config)
    if config.unlabelled is not None:
        texts = raw.splits["train"].texts
        read = Reader(texts[0].shape[1]) if texts and not isinstance(texts[0], str) else read_text
        raw.splits["unlabelled"] = _read_unlabelled(Path(config.unlabelled).expanduser(), config, read)
    return raw


def _read(config: CorpusConfig) -> RawCorpus:
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
        return _read_files(preset.path(), config, config.name, config.name)
    if preset is None and (path.exists() or _looks_like_file(config.name)):
        return (
            _read_folder(path, config) if path.is_dir() else _read_files(path, config, _stem(path), str(path))
        )
    if match is None or (preset is None and "/" not in match["repo"]):
        raise CorpusError(
            f"{config.name}: no such corpus{did_you_mean(config.name, PRESETS)}; give a preset "
            f"({', '.join(PRESETS)}), a file, or a Hub id such as org/name"
        )
    from sentiment.corpus.hub import read_hub

    if preset is None:
        preset, name = Preset("", match["repo"]), match["repo"].rpartition("/")[2]
    else:
        name = match["repo"]
    return read_hub(preset, config, name, match["config"], match["revision"])


def _stem(path: Path) -> str:
    while path.suffix:
        path = path.with_suffix("")
    return path.name


def _looks_like_file(name: str) -> bool:
    data = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt", *COMPRESSED)
    return name.startswith((".", "/", "~")) or name.lower().endswith(data)


def _read_files(path: Path, config: CorpusConfig, name: str, source: str) -> RawCorpus:
    if config.train is not None:
        raise UsageError(f"corpus.train names a split of a Hub corpus, and {path} is a file")
    files = {"train": path, "validation": config.validation, "test": config.test}
    splits: dict[str, RawSplit] = {}
    first = None
    for role, file in files.items():
        if file is not None:
            splits[role], first = _read_file(Path(file), config, first)
    assert first is not None
    if len(first.labels) > 1:
        check_marked(splits["train"], first.labels, str(path))
    order = first.labels if len(first.labels) > 1 else None
    return RawCorpus(name, source, None, splits, order, first.task)


@dataclass(frozen=True)
class _Form:
    """What the first file of a corpus has, and so the next ones too."""

    read: Callable[[object], Any]
    labels: tuple[str, ...]  # columns
    task: Task


def _read_file(path: Path, config: CorpusConfig, first: _Form | None) -> tuple[RawSplit, _Form]:
    """Return what is in a file, and its form."""
    if file_format(path) == "txt":
        raise CorpusError(
            f"{path}: plain lines have no labels; give CSV, TSV, JSONL or Parquet, "
            "or a folder with one folder of .txt files for each label"
        )
    rows, columns, head = columns_of(read_rows(path))
    if not head:
        raise CorpusError(f"{path}: there are no rows in it")
    if not columns:
        raise CorpusError(f"{head[0].where}: {head[0].error}; no row at the start of the file can be read")
    text = find_input(columns, head, config.text_column, str(path))
    rest = [column for column in columns if column != text]
    labels = find_labels(rest, config.label_column, str(path))
    if first is None:
        values = [row.values.get(labels[0]) for row in head]
        first = _Form(reader_of(head, text), labels, find_task(values, labels, config.task, str(path)))
    return collect(rows, text, labels, first.read, first.task), first


def _read_unlabelled(path: Path, config: CorpusConfig, read: Callable[[object], Any]) -> RawSplit:
    rows, columns, head = columns_of(read_rows(path))
    if not head:
        raise CorpusError(f"{path}: there are no rows in it")
    wanted = config.text_column if config.text_column in columns else None  # a .txt has its own name for it
    return collect(rows, find_input(columns, head, wanted, str(path)), read=read)


def _read_folder(path: Path, config: CorpusConfig) -> RawCorpus:
    for setting in ("text_column", "label_column", "train", "validation", "test"):
        if getattr(config, setting) is not None:
            raise UsageError(
                f"{path}: a folder has no use for corpus.{setting}; "
                "its splits are folders named train, validation and test"
            )
    roles = {role: path / role for role in ("train", "validation", "test") if (path / role).is_dir()}
    if "train" not in roles:
        roles = {"train": path}
    flat = ".npz" if any(roles["train"].glob("*.npz")) else ".txt"
    kind = next((kind for kind in KINDS if any(roles["train"].glob(f"*/*{kind}"))), flat)
    read = read_text if kind == ".txt" else Reader()
    task = find_task([], ["label"], config.task, str(path))
    splits = {role: _read_labels(folder, kind, read, config, task) for role, folder in roles.items()}
    unlabelled = RawSplit()
    for name in sorted(UNLABELLED):
        for folder in (path / name, path / "train" / name):
            rows = (_read_one(file, config) for file in sorted(folder.glob(f"*{kind}")))
            unlabelled.texts += collect(rows, "text", read=read).texts
    unlabelled.labels = [None] * len(unlabelled.texts)
    return RawCorpus(path.resolve().name, str(path), None, splits | {"unlabelled": unlabelled}, task=task)


def _read_labels(
    folder: Path, kind: str, read: Callable[[object], Any], config: CorpusConfig, task: Task
) -> RawSplit:
    """Read the files of one kind in a folder of folders, each of which has a label for its name.

    A .npz may also stand in the folder itself, with its ``label`` in it.
    """
    files: list[tuple[Path, str | None]] = [
        (file, label.name)
        for label in sorted(child for child in folder.iterdir() if child.is_dir())
        if label.name not in UNLABELLED | OTHER
        for file in sorted(label.glob(f"*{kind}"))
        if file.is_file()
    ]
    if kind == ".npz":
        files += [(file, None) for file in sorted(folder.glob("*.npz"))]
    if not files:
        raise CorpusError(
            f"{folder}: no texts in it; a folder needs one folder for each label, with .txt files in it "
            f"(or {', '.join(SUFFIXES)})"
        )
    return collect((_read_one(file, config, label) for file, label in files), "text", ["label"], read, task)


def _read_one(file: Path, config: CorpusConfig, label: str | None = None) -> Row:
    if file.suffix == ".txt":
        text = file.read_bytes().decode("utf-8-sig", errors="surrogateescape")
        return Row(str(file), {"text": text, "label": label})
    try:
        features = read_file(file, config)
        label = read_label(file) if label is None and file.suffix == ".npz" else label
    except ValueError as error:
        return Row(str(file), {}, str(error))
    return Row(str(file), {"text": features, "label": label, "id": f"{file.parent.name}/{file.name}"})
