"""Files as people have them, by the thousand: read as they were meant, or refused with the cause."""

import contextlib
import io
import json
import sys

import pytest
from messy import make

from sentiment import cli
from sentiment.core.errors import SentimentError
from sentiment.core.sections.data import CorpusConfig
from sentiment.data.corpus import read_corpus

FILES = 2000
CAUSES = {  # words of a message that may refuse a file, by its fault
    "cut": ("damaged or cut off", "cut off", "not valid JSON", "not a readable", "UTF-16"),
    "encoding": ("--encoding", "UTF-16"),
}


def look(file) -> None:
    """Check what is read of a file."""
    config = CorpusConfig(name=str(file.path), encoding=file.encoding, invalid_rows="drop")
    blind = file.about["encoding"] in ("cp1252", "gb18030", "utf-16-le") and file.encoding is None
    talk = io.StringIO()
    raw = message = None
    try:
        with contextlib.redirect_stderr(talk):
            raw = read_corpus(config)
    except SentimentError as error:
        message = str(error)
    if raw is None:
        causes = CAUSES.get(file.faults, ()) + (CAUSES["encoding"] if blind else ())
        assert any(cause in message for cause in causes), (file.about, message)
        return
    train = raw.splits["train"]
    found = len(train.texts) + len(train.invalid)
    if file.faults == "cut" or (blind and file.about["encoding"] == "utf-16-le"):
        return
    assert found == len(file.rows), (file.about, found, train.invalid[:3], talk.getvalue())
    if blind:  # what is not ASCII is refused, row by row, with its cause
        others = [message for message in train.invalid if "UTF-8" not in message]
        assert len(others) <= abs(file.bad) + (file.bad < 0), (file.about, others[:3])
        return
    most = 2 if file.bad < 0 else file.bad
    missing = sum(label is None for label in train.labels)
    assert len(train.invalid) + missing <= most, (file.about, train.invalid[:3], talk.getvalue())
    assert len(train.invalid) + missing >= max(0, file.bad), file.about
    put = dict(file.rows)
    wrong = [
        (text, label)
        for text, label in zip(train.texts, train.labels, strict=True)
        if label is not None and put.get(text) != label
    ]
    assert len(wrong) <= (most if file.bad < 0 else 0), (file.about, wrong[:2], talk.getvalue())


@pytest.mark.parametrize("begin", range(0, 100, 20))
def test_some_messy_files_are_read_as_meant(tmp_path, begin):
    for seed in range(begin, begin + 20):
        look(make(tmp_path, seed))


@pytest.mark.slow
@pytest.mark.parametrize("begin", range(100, 100 + FILES, 100))
def test_messy_files_are_read_as_meant_or_refused_with_the_cause(tmp_path, begin):
    for seed in range(begin, begin + 100):
        look(make(tmp_path, seed))


@pytest.mark.slow
@pytest.mark.parametrize("begin", range(0, 300, 50))
def test_no_messy_file_is_a_fault_of_the_program(tmp_path, monkeypatch, capfd, begin):
    for seed in range(begin, begin + 50):
        file = make(tmp_path, seed)
        monkeypatch.setattr(sys, "argv", ["sentiment", "audit", "--no-near", "--json", str(file.path)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        assert ended.value.code in (0, 3), (file.about, err)
        assert "Traceback" not in err
        if ended.value.code == 0:
            assert json.loads(out)["corpus"]["source"] == str(file.path)
