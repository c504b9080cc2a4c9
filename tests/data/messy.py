"""A generator of files as people have them: dialect x encoding x form of labels x faults, by seed."""

import bz2
import csv
import gzip
import io
import json
import lzma
import random
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = [
    "the", "plot", "cast", "hotel", "soup", "phone", "was", "felt", "seemed", "became", "clumsy", "lovely",
    "warm", "dreary", "visit", "again", "never", "quite", "really", "bought", "returned", "waited",
    "enjoyed", "finished", "broken", "helpful", "slow", "quick", "friendly", "staff", "price", "room",
    "screen", "music", "scene"
]  # fmt: skip
ACCENTS = {
    "cp1252": "café crème brûlée naïve £5 über",
    "gb18030": "电影 很好 音乐 不错 风景",
    "utf": "café 电影 😀 über ärger",
}
LABELS = [
    ("neg", "pos"), ("ham", "spam"), (0, 1), (0.0, 1.0), (True, False), (-1, 0, 1), (1, 2, 3, 4, 5), (3.5, 4.5),
    ("Sports", "Sci/Tech", "World"), ("sadness", "joy", "anger"), ("__a", "b c"),
]  # fmt: skip
NAMES = [
    ("text", "label"), ("Review Text", "Rating"), ("comment_text", "sentiment"), ("v2", "v1"), ("message", "Category"),
    ("tweet", "class"), ("body", "target"), ("SentimentText", "Sentiment"), ("content", "airline_sentiment"),
]  # fmt: skip
ENDINGS = {"": lambda data, _: data, ".gz": lambda data, _: gzip.compress(data, mtime=0), ".bz2": lambda data, _: bz2.compress(data),
           ".xz": lambda data, _: lzma.compress(data), ".zip": None}  # fmt: skip
KINDS = ("csv", "csv", "csv", "tsv", "tsv", "jsonl", "array", "parquet", "fasttext", "txt")
FAULTS = ("", "", "", "", "stray quote", "late quote", "unclosed quote", "nul", "wide row", "narrow row", "empty text",
          "missing label", "cut", "not utf-8")  # fmt: skip


@dataclass
class Messy:
    """A file, what was put into it, and how it was written."""

    path: Path
    rows: list[tuple[str, str | None]]  # a text and the name that its label should have
    faults: str
    bad: int  # rows that cannot be used
    about: dict = field(default_factory=dict)
    encoding: str | None = None  # that its reader has to be told


def name_of(label: object) -> str:
    """Return the class name that a label should have, by the rules of the issue."""
    if isinstance(label, bool):
        return str(label).lower()
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def make(folder: Path, seed: int) -> Messy:
    """Write one file."""
    rng = random.Random(seed)
    kind, fault = rng.choice(KINDS), rng.choice(FAULTS)
    labels, (text_name, label_name) = rng.choice(LABELS), rng.choice(NAMES)
    if kind == "fasttext" and any(" " in str(label) for label in labels):
        labels = ("neg", "pos")
    count = rng.choice([30, 60, 150])
    encoding = rng.choice(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-16-le", "cp1252", "gb18030"])
    if kind == "parquet":
        fault = "" if fault == "not utf-8" else fault
    if kind == "parquet" or fault == "not utf-8":
        encoding = "utf-8"
    lines_within = kind in ("csv", "jsonl", "array", "parquet") and not fault and rng.random() < 0.3
    if kind == "tsv":
        lines_within = not fault and rng.random() < 0.2
    quotes = not fault and rng.random() < 0.4 and kind != "fasttext"
    accents = ACCENTS.get(encoding, ACCENTS["utf"]).split()
    texts = [_text(rng, number, accents, lines_within, quotes) for number in range(count)]
    chosen = [
        labels[number] if number < 2 * len(labels) and number < len(labels) else rng.choice(labels)
        for number in range(count)
    ]
    rows = [(text, name_of(label)) for text, label in zip(texts, chosen, strict=True)]
    about = {
        "seed": seed,
        "kind": kind,
        "encoding": encoding,
        "labels": labels,
        "names": (text_name, label_name),
        "fault": fault,
    }
    bad, told = 0, None
    if fault in ("empty text", "missing label") and kind != "txt":
        row = rng.randrange(12, count)
        if fault == "empty text":
            texts[row] = ""
        else:
            chosen[row] = rng.choice(["", "NaN", "None"]) if kind in ("csv", "tsv") else None
            if kind == "fasttext":
                chosen[row], fault = labels[0], ""
                rows[row] = (texts[row], name_of(labels[0]))
        bad = int(bool(fault))
    elif kind not in ("csv", "tsv") and fault not in ("cut", "not utf-8"):
        fault = ""
    if kind in ("csv", "tsv", "txt"):
        data, bad_rows = _delimited(rng, kind, texts, chosen, text_name, label_name, fault, about)
        bad += bad_rows
    elif kind in ("jsonl", "array"):
        records = [{text_name: text, label_name: label} for text, label in zip(texts, chosen, strict=True)]
        if rng.random() < 0.5:
            records = [{"id": number} | record for number, record in enumerate(records)]
        ascii_ = rng.random() < 0.3
        if kind == "jsonl":
            data = "".join(json.dumps(record, ensure_ascii=ascii_) + "\n" for record in records)
        else:
            data = json.dumps(records, ensure_ascii=ascii_, indent=rng.choice([None, 1, 2]))
    elif kind == "fasttext":
        data = "".join(f"__label__{label} {text}\n" for text, label in zip(texts, chosen, strict=True))
        rows = [
            (text, name_of(label) if not isinstance(label, float | bool) else name_of(str(label)))
            for text, label in zip(texts, chosen, strict=True)
        ]
        rows = [
            (text, {"True": "true", "False": "false", "0.0": "0", "1.0": "1"}.get(name, name))
            for text, name in rows
        ]
    else:
        data = ""
    suffix = {"array": ".json", "fasttext": ".txt"}.get(kind, f".{kind}")
    if kind == "parquet":
        stream = io.BytesIO()
        pq.write_table(pa.table({text_name: texts, label_name: chosen}), stream)
        content = stream.getvalue()
        ending = ""
    else:
        content = data.encode(encoding)
        if fault == "not utf-8":
            place = content.index(b" n20 ") + 1  # in the text of a row
            content = content[:place] + b"\xe9\xff" + content[place:]
            bad += 1
        ending = rng.choice([""] * 6 + [".gz", ".bz2", ".xz", ".zip"])
    if encoding in ("cp1252", "gb18030", "utf-16-le") and rng.random() < 0.7:
        told = encoding
    path = folder / f"m{seed}{suffix}{ending}"
    if ending == ".zip":
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(f"m{seed}{suffix}", content)
        content = stream.getvalue()
    elif kind != "parquet":
        content = ENDINGS[ending](content, None)
    if fault == "cut":
        content = content[: len(content) // 2]
    if ending and rng.random() < 0.2:  # under another name
        path = folder / f"m{seed}{suffix}"
    path.write_bytes(content)
    return Messy(path, rows, fault, bad, about | {"ending": ending, "told": told}, told)


def _text(rng: random.Random, number: int, accents: list[str], lines: bool, quotes: bool) -> str:
    words = rng.choices(WORDS, k=rng.randrange(5, 25))
    if rng.random() < 0.4:
        words[rng.randrange(1, len(words))] += ","
    if rng.random() < 0.3:
        words.insert(rng.randrange(1, len(words)), rng.choice(accents))
    if lines and rng.random() < 0.2:
        words[rng.randrange(1, len(words) - 1)] += "\n"
    if quotes and rng.random() < 0.2:
        place = rng.randrange(1, len(words) - 1)
        words[place] = f'"{words[place]}"'
    words.insert(2, f"n{number}")
    return " ".join(words)


def _delimited(
    rng: random.Random, kind: str, texts: list[str], labels: list[object], text_name: str, label_name: str, fault: str, about: dict
) -> tuple[str, int]:  # fmt: skip
    separator = {"csv": rng.choice(",,,;|\t"), "tsv": "\t", "txt": rng.choice("\t;")}[kind]
    header = kind != "txt" and rng.random() < 0.75
    columns = {text_name: texts, label_name: labels}
    count = len(texts)
    if rng.random() < 0.4:
        columns["id"] = [10_000 + number for number in range(count)]
    if rng.random() < 0.2:
        columns["date"] = [f"2024-01-{number % 28 + 1:02} 10:{number % 60:02}:00" for number in range(count)]
    names = list(columns)
    rng.shuffle(names)
    if kind == "txt":
        names = [label_name, text_name] if rng.random() < 0.5 else [text_name, label_name]
        texts[:] = [text.replace(";", " ") for text in texts]
    about |= {"separator": separator, "header": header, "columns": names}
    stream = io.StringIO(newline="")
    ends = rng.choice(["\n", "\r\n"])
    quoting = (
        rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        if kind == "csv" and separator != "\t"
        else csv.QUOTE_MINIMAL
    )
    writer = csv.writer(stream, delimiter=separator, lineterminator=ends, quoting=quoting)
    if header:
        writer.writerow(names)
    lines, bad = [], 0
    hit = rng.randrange(12, count - 2)
    for number in range(count):
        part = io.StringIO(newline="")
        csv.writer(part, delimiter=separator, lineterminator=ends, quoting=quoting).writerow(
            [columns[name][number] for name in names]
        )
        line = part.getvalue()
        if number == hit and fault in ("stray quote", "unclosed quote"):
            line = '"' + line.lstrip('"')
        elif number == hit and fault == "nul":
            line, bad = line[:3] + "\0" + line[3:], 1
        elif number == hit and fault == "wide row":
            line, bad = line.rstrip("\r\n") + f"{separator}more{separator}fields{ends}", 1
        elif number == hit and fault == "narrow row" and len(names) > 1:
            line, bad = f"alone{ends}", 1
        if fault == "late quote" and number == hit + 1:
            line = line.rstrip("\r\n") + '"' + ends
        lines.append(line)
    if fault in ("stray quote", "unclosed quote", "late quote"):
        bad = -1  # at most two rows, which may be read as they stand
    blank = ends if not fault and rng.random() < 0.2 else ""
    return stream.getvalue() + "".join(lines[:5]) + blank + "".join(lines[5:]), bad
