"""A path → its unpacked bytes and their format, by the first bytes rather than the name."""

import codecs
import io
import os
import re
import shlex
from pathlib import Path
from typing import Any, BinaryIO

from sentiment.core.errors import CorpusError, did_you_mean

COMPRESSED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bz2", ".xz": "xz"}
MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bz2", b"\xfd7zXZ\0": "xz"}
BOMS = {  # longest first: the UTF-32 mark begins with the UTF-16 one
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SHIFTS = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$)C": "iso2022_kr"}  # all bytes are ASCII
FORMATS = {
    "csv": "csv", "tsv": "tsv", "tab": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "json": "jsonl",
    "parquet": "parquet", "pq": "parquet", "txt": "txt", "text": "txt", "xlsx": "xlsx", "xls": "xlsx",
    "xlsb": "xlsx", "ods": "xlsx",
}  # fmt: skip
HEAD = 1 << 16  # bytes looked at
ZEROS = 0.2  # share of zero bytes from which a file is no text, or UTF-16
HTML = (
    "a page of HTML, such as a server's error; download the file again, or save its table as CSV: "
    "python -c \"import pandas; pandas.read_html('FILE')[0].to_csv('rows.csv', index=False)\""
)
SQL = "statements of SQL; load them into a database, and write the table as CSV"
UNREAD = {  # first bytes of formats that are not read → what it is, and what to do
    b"%PDF": "a PDF; copy its text into a file, one text a line",
    b"SQLite format 3": "an SQLite database; write the table as CSV: "
    "sqlite3 -header -csv FILE 'select * from TABLE' > rows.csv",
    b"version https://git-lfs": "a pointer of Git LFS, not the file itself; fetch it: git lfs pull",
    b"\x80\x04": "a pickle, which can run code and is not read; save it as CSV or Parquet",
    b"\x89HDF": "HDF5; write it as Parquet: "
    "python -c \"import pandas; pandas.read_hdf('FILE').to_parquet('rows.parquet')\"",
    b"Rar!": "a RAR archive; unpack it, then give one of its files, or the folder",
    b"7z\xbc\xaf": "a 7-Zip archive; unpack it, then give one of its files, or the folder",
    b"\x89PNG": "a picture (PNG), no text",
    b"\xff\xd8\xff": "a picture (JPEG), no text",
    b"GIF8": "a picture (GIF), no text",
    b"{\\rtf": "RTF; save it as plain text, one text a line",
    b"$FL2": "SPSS; write it as CSV: "
    "python -c \"import pandas; pandas.read_spss('FILE').to_csv('rows.csv', index=False)\"",
    b"RDX": "data of R; write it as CSV in R: write.csv(DATA, 'rows.csv', row.names = FALSE)",
    b"X\n\0\0\0": "data of R; write it as CSV in R: write.csv(readRDS('FILE'), 'rows.csv')",
    b"ARROW1": "Arrow IPC; write it as Parquet: "
    "python -c \"import pandas; pandas.read_feather('FILE').to_parquet('rows.parquet')\"",
}
UNREAD_TEXTS = {  # likewise, in any case and after spaces
    "@relation": "ARFF, of Weka; write it as CSV: python -c \"import pandas, scipy.io.arff as a; "
    "pandas.DataFrame(a.loadarff('FILE')[0]).to_csv('rows.csv')\", or with Weka if it has strings",
    "<!doctype html": HTML,
    "<html": HTML,
    "<table": HTML,
    "create table": SQL,
    "insert into": SQL,
    "-- mysql dump": SQL,
    "-- postgresql": SQL,
    "<?xml": "XML; write its texts and labels as CSV: "
    "python -c \"import pandas; pandas.read_xml('FILE').to_csv('rows.csv')\"",
}  # fmt: skip
BINARY = {
    b"PK\x03\x04": "Excel or a zip",
    b"\xd0\xcf\x11\xe0": "Excel",
    b"PAR1": "Parquet",
}
ROMAN = re.compile("cp125[0247]|latin_1|iso8859|mac_|cp437|cp85|cp86|hp_roman|cp500|cp1026|cp11|tis")


def name_format(path: Path) -> str | None:
    """Return the format that a file's name tells, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and (suffixes[-1] in COMPRESSED or suffixes[-1] == ".zip"):
        suffixes.pop()
    return FORMATS.get(suffixes[-1].lstrip(".")) if suffixes else None


class Opened:
    """An open file: a stream of its unpacked bytes, its format, and notes on what its name does not say."""

    def __init__(self, path: Path) -> None:
        self.path, self.notes = path, []  # type: Path, list[str]
        self.format = name_format(path)
        with path.open("rb") as file:
            first = file.read(HEAD)
        packed = next((name for magic, name in MAGIC.items() if first.startswith(magic)), None)
        named = COMPRESSED.get(path.suffix.lower())
        text = _is_text(first)
        if named is not None and text:
            self.notes.append("it is not packed, though its name says so")
            named = None
        if text and self.format in ("parquet", "xlsx"):
            self.notes.append("it is text, though its name does not say so")
            self.format = None
        if packed is not None and named != packed:
            self.notes.append(f"it is {packed}, though its name does not say so")
        self.stream: BinaryIO | None = None
        if first.startswith(b"PK\x03\x04") or first.startswith(b"\xd0\xcf\x11\xe0"):
            self._open_zip(first)
        elif first.startswith(b"PAR1"):
            self._is("parquet", "Parquet")
        elif self.format not in ("parquet", "xlsx"):
            compression = packed or named
            self.stream = (
                _unpacked(str(path), compression) if compression else path.open("rb", buffering=HEAD)
            )
        elif self.format == "xlsx":
            raise CorpusError(f"{path}: not a readable Excel file, though its name says so")

    def _is(self, name: str, called: str) -> None:
        if self.format != name:
            self.notes.append(f"it is {called}, though its name does not say so")
        self.format = name

    def _open_zip(self, first: bytes) -> None:
        if not first.startswith(b"PK"):
            self._is("xlsx", "Excel")
            return
        import zipfile

        try:
            archive = zipfile.ZipFile(self.path)
        except zipfile.BadZipFile as error:
            raise CorpusError(f"{self.path}: damaged or cut off: {error}") from error
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if any(name.startswith("xl/") or name == "content.xml" for name in names):
            archive.close()
            self._is("xlsx", "Excel")
            return
        files = [n for n in names if not n.startswith("__MACOSX") and not Path(n).name.startswith(".")]
        texts = [n for n in files if name_format(Path(n)) not in (None, "parquet", "xlsx")] or files
        if len(texts) != 1:
            there = ", ".join(texts[:5]) or "nothing"
            raise CorpusError(
                f"{self.path}: a zip of {len(files)} files ({there}); unpack it: unzip "
                f"{shlex.quote(self.path.name)}, then give one of them"
            )
        if self.path.suffix.lower() != ".zip":
            self.notes.append("it is a zip, though its name does not say so")
        self.notes.append(f"read {texts[0]} in it")
        self.format = name_format(Path(texts[0])) or self.format
        self.stream = buffered(archive.open(texts[0]))


def _unpacked(packed: Any, compression: str) -> BinaryIO:
    """Unpack a file, by its path, or a stream."""
    if compression == "xz":
        import lzma

        return io.BufferedReader(lzma.open(packed), HEAD)
    import pyarrow

    return io.BufferedReader(pyarrow.input_stream(packed, compression=compression), HEAD)


def buffered(stream: Any) -> io.BufferedReader:
    """Return a stream with `peek`."""
    if isinstance(stream, io.BufferedReader):
        return stream
    return io.BufferedReader(stream, HEAD)


def encoding_of(head: bytes) -> str:
    """Return the encoding by the byte order mark or the shift sequences, or else UTF-8."""
    marked = next((encoding for bom, encoding in BOMS.items() if head.startswith(bom)), None)
    shifted = next((encoding for shift, encoding in SHIFTS.items() if shift in head), None)
    return marked or shifted or "utf-8"


def check_text(head: bytes, encoding: str, asked: str | None, name: str) -> None:
    """Refuse by its first bytes what is no text, or UTF-16 without a mark.

    Raises
    ------
    CorpusError
        That says what it is, and the command that makes it readable.
    """
    what = next((what for magic, what in UNREAD.items() if head.startswith(magic)), None)
    if what is None:
        begin = head[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower().decode("latin-1")
        what = next((what for text, what in UNREAD_TEXTS.items() if begin.startswith(text)), None)
    if head[257:262] == b"ustar":
        what = "a tar archive; unpack it: tar xf FILE, then give one of its files, or the folder"
    if what is not None:
        raise CorpusError(f"{name}: {what.replace('FILE', shlex.quote(name))}")
    if asked is None and encoding == "utf-8" and (head.count(0) > ZEROS * len(head) or _is_utf16(head)):
        odd = head[1::2].count(0) > head[::2].count(0)
        utf16 = "utf-16-le" if odd else "utf-16-be"
        raise CorpusError(
            f"{name}: holds zero bytes: it is no text, or UTF-16 without its mark; try --encoding {utf16}, "
            "or save it as UTF-8"
        )


def _is_utf16(head: bytes) -> bool:
    """Whether bytes are UTF-16 without a mark: spaces and line ends have a zero byte."""
    zeros = [head[place::2].count(0) for place in (0, 1)]
    if min(zeros) > 0 or sum(zeros) < 0.02 * len(head):
        return False
    high = head[int(zeros[1] > 0) :: 2]  # of an alphabet nearly all are the same
    return sum(sorted(map(high.count, {*high}))[-4:]) > 0.9 * len(high)


def _is_text(first: bytes) -> bool:
    """Whether bytes are those of a text: no control characters, or a mark of Unicode."""
    return bool(first) and (any(map(first.startswith, BOMS)) or min(first) > 8)


def unpacked(stream: BinaryIO, name: str) -> BinaryIO:
    """Unpack a stream if its first bytes say that it is packed.

    Raises
    ------
    CorpusError
        If it is a format that cannot be read as a stream.
    """
    looked = buffered(stream)
    first = looked.peek(HEAD)[:HEAD]
    packed = next((name for magic, name in MAGIC.items() if first.startswith(magic)), None)
    binary = next((called for magic, called in BINARY.items() if first.startswith(magic)), None)
    if binary is not None:
        raise CorpusError(f"{name}: it is {binary}, which is not read from a pipe; give the file by its name")
    return _unpacked(looked, packed) if packed else looked


def guess_encoding(data: bytes) -> str | None:
    """Guess the encoding of bytes that are no UTF-8; None if nothing fits."""
    from charset_normalizer import from_bytes

    data = data[:HEAD]
    high = sum(byte >= 0x80 for byte in data)
    runs = re.findall(rb"[\x80-\xff]+", data)
    alone = sum(len(run) == 1 for run in runs) > 0.6 * max(1, len(runs))
    guess = None if alone else _east_asian(data)
    if guess is None:
        best = from_bytes(data).best()
        guess = best.encoding if best is not None else None
        if guess in (None, "ascii") or (ROMAN.match(str(guess)) and (alone or high < 0.2 * len(data))):
            guess = "cp1252"  # of Windows in Western Europe; Latin-1 is a part of it, but for controls
    for name in dict.fromkeys((str(guess), "gb18030", "cp1251", "latin-1")):
        if _decoded(data, name) is not None:
            return name
    return None


def _decoded(data: bytes, encoding: str) -> str | None:
    """Decode bytes, which may end within a character; None if they are not in this encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeError:
        return None


def _east_asian(data: bytes) -> str | None:
    """Return the encoding of Japanese, Chinese or Korean, by the most frequent characters."""
    for name in ("cp932", "euc_jp"):
        chars = [char for char in _decoded(data, name) or "" if not char.isascii()]
        if chars and sum("\u3041" <= char <= "\u30ff" for char in chars) > 0.25 * len(chars):
            return name
    pairs = re.findall(rb"[\x81-\xfe][\x40-\xfe]", data)
    if len(pairs) < 10:
        return None
    first = [pair[0] for pair in pairs if pair[1] >= 0xA1]
    if len(first) > 0.8 * len(pairs) and sum(0xB0 <= byte <= 0xF7 for byte in first) > 0.6 * len(pairs):
        korean = sum(0xB0 <= byte <= 0xC8 for byte in first) > 0.9 * sum(byte >= 0xB0 for byte in first)
        name = "cp949" if korean else "gb18030"
        # Cyrillic has runs of such bytes, too; letters of words are not pairs.
        odd = sum(len(run) % 2 for run in re.findall(rb"[\x80-\xff]+", data))
        return name if odd < 0.1 * len(pairs) and _decoded(data, name) is not None else None
    return None


def missing(path: Path, error: OSError) -> CorpusError:
    """Return what to raise for a file that is not there, or is a folder."""
    if path.is_dir():
        return CorpusError(f"{path}: Is a directory; give a file in it, or train on the folder")
    others = os.listdir(path.parent) if path.parent.is_dir() else []
    return CorpusError(f"{path}: {error.strerror}{did_you_mean(path.name, others, cutoff=0.7)}")
