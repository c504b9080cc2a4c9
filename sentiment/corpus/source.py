"""A corpus by its name: a preset, a file or folder, or a Hub id → `RawCorpus`."""

import os
import re
from pathlib import Path

from sentiment.config import CorpusConfig
from sentiment.corpus.presets import PRESETS, Preset
from sentiment.corpus.raw import (
    LABEL_COLUMNS,
    TEXT_COLUMNS,
    RawCorpus,
    RawSplit,
    collect,
    find_column,
)
from sentiment.errors import CorpusError, UsageError, did_you_mean
from sentiment.rows import COMPRESSED, Row, columns_of, file_format, read_rows

HUB_ID = re.compile(r"(?P<repo>[\w.-]+(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?")
UNLABELLED = {"unsup", "unsupervised", "unlabelled", "unlabeled"}


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
        raw.splits["unlabelled"] = _read_unlabelled(Path(config.unlabelled).expanduser(), config)
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
    splits = {role: _read_file(Path(file), config) for role, file in files.items() if file is not None}
    return RawCorpus(name, source, None, splits)


def _read_file(path: Path, config: CorpusConfig) -> RawSplit:
    if file_format(path) == "txt":
        raise CorpusError(
            f"{path}: plain lines have no labels; give CSV, TSV, JSONL or Parquet, "
            "or a folder with one folder of .txt files for each label"
        )
    rows, columns, first = columns_of(read_rows(path))
    if first is None:
        raise CorpusError(f"{path}: there are no rows in it")
    if not columns:
        raise CorpusError(f"{first.where}: {first.error}; no row at the start of the file can be read")
    text = find_column(columns, config.text_column, TEXT_COLUMNS, "text", str(path))
    rest = [column for column in columns if column != text]
    label = find_column(rest, config.label_column, LABEL_COLUMNS, "label", str(path))
    return collect(rows, text, label)


def _read_unlabelled(path: Path, config: CorpusConfig) -> RawSplit:
    rows, columns, first = columns_of(read_rows(path))
    if first is None:
        raise CorpusError(f"{path}: there are no rows in it")
    wanted = config.text_column if config.text_column in columns else None  # a .txt has its own name for it
    return collect(rows, find_column(columns, wanted, TEXT_COLUMNS, "text", str(path)), None)


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
    splits = {role: _read_labels(folder) for role, folder in roles.items()}
    unlabelled = RawSplit()
    for name in sorted(UNLABELLED):
        for folder in (path / name, path / "train" / name):
            rows = [_read_text(file) for file in sorted(folder.glob("*.txt"))]
            unlabelled.texts += collect(rows, "text", None).texts
    unlabelled.labels = [None] * len(unlabelled.texts)
    return RawCorpus(path.resolve().name, str(path), None, splits | {"unlabelled": unlabelled})


def _read_labels(folder: Path) -> RawSplit:
    rows = []
    for label in sorted(child for child in folder.iterdir() if child.is_dir()):
        if label.name not in UNLABELLED:
            rows += [_read_text(file, label.name) for file in sorted(label.glob("*.txt")) if file.is_file()]
    if not rows:
        raise CorpusError(
            f"{folder}: no texts in it; a folder needs one folder for each label, with .txt files in it"
        )
    return collect(rows, "text", "label")


def _read_text(file: Path, label: str | None = None) -> Row:
    text = file.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    return Row(str(file), {"text": text, "label": label})
