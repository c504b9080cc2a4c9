"""Bad input through the command line: one clear message, the right exit code, and nothing lost.

A case is a row: what is there, what is asked for, the exit code, words that the message must hold.
"""

import bz2
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Outcome, serve_mirror
from safetensors import SafetensorError

from sentiment import cli

pytestmark = pytest.mark.timeout(60)

SMALL = {"training.epochs": 1, "model.hidden_size": 4, "embedding.size": 4, "report.bootstrap": 100}
TINY = ["--device", "cpu", "--set", "report.baselines=false"]
TINY += [part for name, value in SMALL.items() for part in ("--set", f"{name}={value}")]
ROWS = [
    (f"{words} thing number{row} here", label)
    for row, (words, label) in enumerate([("good nice", "pos"), ("bad awful", "neg")] * 12)
]
Content = str | bytes | pa.Table


def csv(rows: list[tuple[str, str]] = ROWS, head: str = "text,label", mark: str = ",") -> str:
    """Write rows as CSV, without quotes."""
    return "".join(line + "\n" for line in (head, *(mark.join(row) for row in rows)))


def jsonl(*more: str, positive: Any = "pos", negative: Any = "neg") -> str:
    """Write the rows as JSONL with other labels; `more` are raw lines."""
    values = {"pos": positive, "neg": negative}
    lines = [json.dumps({"text": text, "label": values[label]}) for text, label in ROWS]
    return "".join(line + "\n" for line in (*lines, *more))


def table(**columns: Any) -> pa.Table:
    """Return the rows as a table, with other columns."""
    return pa.table({"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]} | columns)


def put(path: Path, content: Content) -> None:
    """Write a file of any kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pa.Table):
        pq.write_table(content, path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def parquet(content: pa.Table) -> bytes:
    """Return the bytes of a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(content, stream)
    return stream.getvalue()


Run = Callable[..., Outcome]


def call(*args: object, stdin: bytes = b"") -> int:
    """Run the command line in this process and return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["sentiment", *map(str, args)])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(stdin))))  # type: ignore[type-var]
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; a failure must talk on stderr and leave nothing behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def one(*args: object, stdin: bytes = b"") -> Outcome:
        capfd.readouterr()
        code = call(*args, stdin=stdin)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        assert code == 0 or "sentiment: " in err or "Error: " in err, "a failure without a message"
        if code not in (0, 130):
            left = [path for path in tmp_path.rglob("*") if path.name.endswith((".partial", ".tmp"))]
            assert not left, f"left behind: {left}"
        return Outcome(code, out, err)

    return one


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train one tiny bundle, beside its corpus."""
    folder = tmp_path_factory.mktemp("trained")
    put(folder / "good.csv", csv())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call("train", folder / "good.csv", "--out", folder / "artifacts" / "model", *TINY) == 0
    return folder / "artifacts" / "model"


def holds(done: Outcome, code: int, *words: str) -> None:
    """Check the exit code and that the message has all words."""
    assert done.code == code, done.err
    missing = [word for word in words if word not in done.err]
    assert not missing, f"{missing} not in {done.err!r}"


# Corpora


GZ, ZST, BZ2 = (
    gzip.compress(csv().encode(), mtime=0),
    pa.compress(csv().encode(), codec="zstd", asbytes=True),
    bz2.compress(csv().encode()),
)

BAD_CORPORA: dict[str, tuple[str, Content, str]] = {
    # case: (file, content, words of the message divided by |)
    "empty": ("c.csv", "", "c.csv|no rows"),
    "empty jsonl": ("c.jsonl", "", "c.jsonl|no rows"),
    "empty parquet": ("c.parquet", b"", "c.parquet"),
    "header only": ("c.csv", "text,label\n", "c.csv|no rows"),
    "no label column": ("c.csv", "text,foo\na,b\n", "--label-column|'foo'"),
    "no text column": ("c.csv", "price,label\n7,b\n9,c\n", "--text-column|'price'"),
    "two columns of a name": ("c.csv", "text,label,label\na,b,c\n", "c.csv:1|'label'"),
    "one class": ("c.csv", csv([(text, "pos") for text, _ in ROWS]), "'pos'|two classes"),
    "class of one": ("c.csv", csv([*ROWS, ("alone", "solo")]), "'solo'|1 different|add texts"),
    "as many labels as texts": ("c.csv", csv([(t, t) for t, _ in ROWS]), "--label-column"),
    "null text": ("c.jsonl", jsonl('{"text": null, "label": "pos"}'), "c.jsonl:25|missing|invalid_rows=drop"),
    "blank text": ("c.jsonl", jsonl('{"text": " ", "label": "pos"}'), "c.jsonl:25|empty"),
    "text of a number": ("c.jsonl", jsonl('{"text": 5, "label": "pos"}'), "c.jsonl:25|int"),
    "text of a list": ("c.jsonl", jsonl('{"text": ["x"], "label": "pos"}'), "c.jsonl:25|list"),
    "other keys": ("c.jsonl", jsonl('{"body": "x", "label": "pos"}'), "c.jsonl:25|missing"),
    "no label in one row": ("c.jsonl", jsonl('{"text": "x"}'), "c.jsonl:25|label"),
    "first row without text": ("c.jsonl", '{"label": "pos"}\n' + jsonl(), "c.jsonl:1|missing"),
    "null labels": ("c.jsonl", jsonl(positive=None), "c.jsonl:1|label"),
    "lists as labels": ("c.jsonl", jsonl(positive=[1]), "c.jsonl:1|list"),
    "surrogate label": ("c.jsonl", jsonl(positive="\ud800"), "c.jsonl:1|label|UTF-8"),
    "surrogate text": ("c.jsonl", jsonl('{"text": "\\ud800", "label": "pos"}'), "c.jsonl:25|UTF-8"),
    "scalar lines": ("c.jsonl", jsonl('"abc"', "12"), "c.jsonl:25|str|c.jsonl:26|int"),
    "number of 5000 digits": ("c.jsonl", jsonl('{"text":"x","label":' + "1" * 5000 + "}"), "c.jsonl:25|JSON"),
    "deep JSON": ("c.jsonl", jsonl("[" * 100_000), "c.jsonl:25|JSON"),
    "nothing but bad JSON": ("c.jsonl", "{bad\n{worse\n", "c.jsonl:1|JSON"),
    "array that is cut off": ("c.json", '[{"text": "a", "label": "b"},', "c.json:1|cut off"),
    "invalid UTF-8": ("c.csv", csv().encode() + b"caf\xe9,pos\n", "c.csv:26|0xe9|iconv"),
    "UTF-16 without a mark": ("c.csv", csv().encode("utf-16-le"), "c.csv|UTF-16|UTF-8"),
    "half a UTF-16 character": ("c.csv", csv().encode("utf-16")[:-1], "c.csv|UTF-16"),
    "ragged": ("c.csv", csv() + "a,b,c\nonly\n", "c.csv:26|3 fields|c.csv:27|1 fields|quote"),
    "unclosed quote": ("c.csv", csv() + '"open,pos\nx,neg\n', "c.csv:26|never closes"),
    "unclosed quote in the first row": ("c.csv", 'text,label\n"open,pos\nx,neg\n', "c.csv:2|never closes"),
    "text after a quote": ("c.csv", csv() + '"closed" tail,pos\n', "c.csv:26"),
    "bad row after blank lines": ("c.csv", "\n\n\n" + csv() + ",pos\n", "c.csv:29|empty"),
    "cut gz": ("c.csv.gz", GZ[:-4], "c.csv.gz|cut off"),
    "no gz": ("c.csv.gz", b"\1\2\3" * 99, "c.csv.gz|damaged"),
    "cut zst": ("c.csv.zst", ZST[:-2], "c.csv.zst|cut off"),
    "no zst": ("c.csv.zst", b"\1\2\3" * 99, "c.csv.zst|damaged"),
    "cut bz2": ("c.csv.bz2", BZ2[:-4], "c.csv.bz2|cut off"),
    "null in parquet": ("c.parquet", table(text=[None, *["x y"] * 23]), "c.parquet:1|missing"),
    "bytes in parquet": ("c.parquet", table(text=[b"x"] * 24), "c.parquet:1|bytes"),
    "cut parquet": ("c.parquet", parquet(table())[:-50], "c.parquet|Parquet"),
    "no parquet": ("c.parquet", b"\1hello", "c.parquet|Parquet"),
    "plain lines": ("c.txt", "a\nb\n", "c.txt|no labels"),
    "unknown kind": ("c.xyz", "a", "c.xyz|.csv"),
}


@pytest.mark.timeout(15)
@pytest.mark.parametrize("case", BAD_CORPORA)
@pytest.mark.parametrize("verb", ["train"])
def test_bad_corpus(run: Run, verb: str, case: str) -> None:
    name, content, words = BAD_CORPORA[case]
    put(Path(name), content)
    holds(run(verb, name, "--out", "out", *TINY), 3, *words.split("|"))
    assert not Path("out").exists()


@pytest.mark.timeout(15)
@pytest.mark.parametrize(
    "case",
    [
        "empty", "header only", "no text column", "two columns of a name", "nothing but bad JSON",
        "array that is cut off", "UTF-16 without a mark", "cut gz", "no parquet", "unknown kind",
        "number of 5000 digits", "unclosed quote in the first row",
    ],
)  # fmt: skip
def test_audit_of_a_bad_corpus(run: Run, case: str) -> None:
    """What cannot be read at all fails; single bad rows are findings."""
    name, content, _ = BAD_CORPORA[case]
    put(Path(name), content)
    done = run("audit", name, "--no-near")
    places = {"number of 5000 digits": "c.jsonl:25", "unclosed quote in the first row": "c.csv:2"}
    if case in places:
        assert (done.code, places[case] in done.out) == (0, True), done.err
    else:
        holds(done, 3, name)


GOOD_CORPORA: dict[str, tuple[str, Content, str]] = {
    # case: (file, content, further options)
    "BOM": ("c.csv", b"\xef\xbb\xbf" + csv().encode(), ""),
    "UTF-16": ("c.csv", csv().encode("utf-16"), ""),
    "UTF-32": ("c.csv", csv().encode("utf-32"), ""),
    "UTF-16 JSONL": ("c.jsonl", jsonl().encode("utf-16"), ""),
    "semicolons": ("c.csv", csv(head="text;label", mark=";"), ""),
    "CR LF": ("c.csv", csv().replace("\n", "\r\n"), ""),
    "leading blank lines": ("c.csv", "\n\n" + csv(), ""),
    "spaces and case in the header": ("c.csv", csv(head=" Text , LABEL "), ""),
    "named columns": ("c.csv", csv(head="my text,a b"), "--text-column=my text|--label-column=a b"),
    "TSV with stray quotes": ("c.tsv", csv([('a "b ' + t, y) for t, y in ROWS], "text\tlabel", "\t"), ""),
    "gz": ("c.csv.gz", GZ, ""),
    "zst": ("c.csv.zst", ZST, ""),
    "bz2": ("c.csv.bz2", BZ2, ""),
    "GZ in capitals": ("C.CSV.GZ", GZ, ""),
    "integers": ("c.jsonl", jsonl(positive=1, negative=0), ""),
    "booleans": ("c.jsonl", jsonl(positive=True, negative=False), ""),
    "fractions": ("c.jsonl", jsonl(positive=4.5, negative=3.5), ""),
    "array on one line": ("c.json", "[" + ",".join(jsonl().splitlines()) + "]", ""),
    "array on many lines": ("c.json", json.dumps(list(map(json.loads, jsonl().splitlines())), indent=1), ""),
    "text column without a known name": ("c.csv", csv(head="my col,label"), ""),
    "whole floats": ("c.jsonl", jsonl(positive=1.0, negative=0.0), ""),
    "dictionary column": ("c.parquet", table(label=pa.array([y for _, y in ROWS]).dictionary_encode()), ""),
    "a far time in another column": ("c.parquet", table(at=pa.array([2**55] * 24, pa.timestamp("ms"))), ""),
}


@pytest.mark.parametrize("case", GOOD_CORPORA)
def test_corpus_that_has_to_work(run: Run, case: str) -> None:
    name, content, options = GOOD_CORPORA[case]
    put(Path(name), content)
    done = run("audit", name, "--no-near", "--json", *options.split("|") if options else ())
    holds(done, 0)
    found = json.loads(done.out)["splits"]["train"]
    assert found["texts"] == 24
    assert found["unusable_rows"]["count"] == 0
    assert sorted(found["labels"].values()) == [12, 12]


def folder_of_bad_files() -> None:
    put(Path("c/pos/a.txt"), b"\xffbad")
    put(Path("c/neg/b.txt"), "")


def folder_in_place_of_a_file() -> None:
    Path("c/pos/x.txt").mkdir(parents=True)


def unknown_label_in_test() -> None:
    put(Path("t.csv"), csv([("a b", "pos"), ("c d", "meh")]))


def same_texts_in_both() -> None:
    put(Path("t.csv"), csv([("x y", "pos"), ("z q", "neg")]))


def nothing() -> None:
    """Arrange nothing beyond good.csv."""


@pytest.mark.parametrize(
    ("arrange", "args", "code", "words"),
    [
        (nothing, "nope.csv", 3, "nope.csv|No such file"),
        (nothing, "imbd", 3, "imbd|did you mean 'imdb'"),
        (nothing, "sample_span", 3, "did you mean 'sample_spam'|Hub id"),
        (nothing, "~nosuchuser/c.csv", 3, "~nosuchuser"),
        (nothing, "sample@v1", 2, "sample|in the package"),
        (nothing, "good.csv --text-column txt", 3, "'txt'|did you mean 'text'"),
        (nothing, "good.csv --label-column lable", 3, "'lable'|did you mean 'label'"),
        (nothing, "good.csv --test nope.csv", 3, "nope.csv|No such file"),
        (nothing, "good.csv --set corpus.train=part", 2, "corpus.train|good.csv"),
        (
            unknown_label_in_test,
            "good.csv --test t.csv --set corpus.unseen_labels=error",
            3,
            "'meh'|never in the training",
        ),
        (same_texts_in_both, "good.csv --validation t.csv --test t.csv", 3, "validation"),
        (lambda: Path("c").mkdir(), "c", 3, "c|no texts|.txt"),
        (lambda: Path("c.csv").mkdir(), "c.csv", 3, "c.csv"),
        (folder_of_bad_files, "c", 3, "a.txt|0xff|b.txt|empty"),
        (folder_in_place_of_a_file, "c", 3, "c|no texts"),
        (folder_of_bad_files, "c --text-column a", 2, "text_column"),
    ],
)
def test_corpus_as_a_whole(run: Run, arrange: Callable[[], object], args: str, code: int, words: str) -> None:
    put(Path("good.csv"), csv())
    arrange()
    holds(run("train", *args.split(), "--out", "out", *TINY), code, *words.split("|"))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("share", "sizes"),
    [
        ("test_share", "2 training, 2 validation and 20 test"),
        ("validation_share", "2 training, 18 validation and 4 test"),
    ],
)
def test_a_share_is_as_large_as_can_be(run: Run, share: str, sizes: str) -> None:
    put(Path("good.csv"), csv())
    done = run("train", "good.csv", "--out", "out", *TINY, "--set", f"corpus.{share}=0.99")
    holds(done, 0, sizes)


def test_texts_with_two_labels_that_are_kept(run: Run) -> None:
    """A class of one text of its own, the others being another class's too, is cut all the same."""
    shared = [(f"shared{n} words", "A") for n in range(2)] + [(f"a{n} b{n}", "A") for n in range(9)]
    put(Path("k.csv"), csv([*shared, ("shared0 words", "B"), ("shared1 words", "B"), ("only", "B")]))
    done = run("train", "k.csv", "--out", "out", *TINY, "--set", "corpus.repeats=keep")
    holds(done, 0, "11 training, 1 validation and 2 test texts, 2 classes")


def test_file_named_as_a_preset_is_called_by_its_path(run: Run) -> None:
    put(Path("imdb.csv"), csv())
    done = run("audit", "imdb.csv", "--no-near", "--json")
    assert json.loads(done.out)["corpus"]["source"] == "imdb.csv"


# Settings and options


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("modle.layers=2", "modle.layers|did you mean 'model.layers'"),
        ("layers=2", "did you mean 'model.layers'"),
        ("model..layers=2", "model..layers"),
        ("model.layers.x=2", "model.layers.x"),
        ("model.layers", "key=value"),
        ("=2", "key=value"),
        ("model=5", "model|5"),
        ("model={lyers=2}", "model.lyers|model.layers"),
        ("model.layers=x", "model.layers|integer|'x'"),
        ("model.layers=0", "model.layers|1"),
        ("model.layers=2.5", "model.layers|2.5"),
        ("model.hidden_size=99999999999999999999", "model.hidden_size"),
        ("model.pooling=[]", "model.pooling"),
        ('model.pooling=["max","max"]', "twice"),
        ("model.layer_dropout=0.5", "model.layers >= 2"),
        ("model.output_dropout=1", "model.output_dropout|less than 1"),
        ("tokenizer.kind=words", "tokenizer.kind|'word'|'bpe'"),
        ("tokenizer.max_size=2", "tokenizer.max_size|3"),
        ("training.epochs=0", "training.epochs"),
        ("training.epochs=-3", "training.epochs"),
        ("training.epochs=many", "training.epochs|auto"),
        ("training.learning_rate=nan", "training.learning_rate"),
        ("training.learning_rate=inf", "training.learning_rate"),
        ("training.metric=f1", "training.metric|macro_f1"),
        ("corpus.similarity=0", "corpus.similarity"),
        ("corpus.seed=-5", "corpus.seed"),
        ("corpus.test_share=1.5", "corpus.test_share"),
        ("seed=-1", "seed"),
        ("seed=5000000000", "seed"),
        ("runtime.threads=-1", "runtime.threads"),
        ("runtime.precision=bf16", "runtime.precision|CUDA"),
        ("report.bootstrap=5", "report.bootstrap|100"),
        ("embedding.source=pretrained", "embedding.vectors"),
        ("embedding.vectors=glove.6B.100d", "embedding.source=pretrained"),
    ],
)
def test_bad_setting(run: Run, assignment: str, words: str) -> None:
    put(Path("good.csv"), csv())
    done = run("train", "good.csv", "--out", "out", "--device", "cpu", "--set", assignment)
    holds(done, 2, *words.split("|"))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("seed = 1\nseed = 2\n", "c.toml|TOML"),
        ("[model\n", "c.toml|TOML|line 1"),
        ("[model]\nlayres = 2\n", "c.toml|did you mean 'model.layers'"),
        ("seed = 'x'\n", "c.toml|seed|'x'"),
        ("[training]\nmetric = 'f1'\n", "c.toml: setting training.metric|macro_f1"),
        (b"\xff\xfe", "c.toml"),
        (None, "c.toml|No such file"),
    ],
)
def test_bad_settings_file(run: Run, content: Content | None, words: str) -> None:
    if content is not None:
        put(Path("c.toml"), content)
    for option in ("--config", "--recipe"):
        holds(run("train", "sample", option, "c.toml", "--out", "out"), 2, *words.split("|"))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ("trian", 2, "Did you mean one of: 'pretrain', 'train'"),
        ("train good.csv extra", 2, "extra"),
        ("train good.csv --seed -1", 2, "--seed"),
        ("train good.csv --seed 5000000000", 2, "seed"),
        ("train good.csv --device tpu", 2, "'cuda'"),
        ("train good.csv --device mps", 2, "--device mps|--device cpu"),
        ("train good.csv --out .", 2, "--out|new folder"),
        ("train good.csv --out /", 2, "--out|new folder"),
        ("train good.csv --out good.csv", 2, "good.csv|is there already|--out"),
        ("train good.csv --out good.csv/x", 6, "good.csv/x"),
        ("train good.csv --out /proc/x", 6, "/proc/x"),
        (f"train good.csv --out {'x' * 250}", 6, "name too long"),
        ("train --resume", 2, "no unfinished run|--out"),
        ("train --resume --out nope", 2, "nope|no unfinished run"),
        ("train --resume --seed 1", 2, "--seed"),
        ("train --resume --deterministic", 2, "--deterministic"),
        ("train sample --resume --set seed=1 --config x", 2, "--set|--config"),
        ("predict x --model nope", 4, "nope|no such folder"),
        ("predict x --model good.csv", 4, "good.csv"),
        ("predict x --input good.csv", 2, "not both"),
        ("predict --nope", 2, "--nope"),
        ("report nope", 4, "nope"),
        ("report", 2, "DIR"),
        ("audit", 2, "CORPUS"),
    ],
)
def test_bad_option(run: Run, args: str, code: int, words: str) -> None:
    put(Path("good.csv"), csv())
    before = sorted(Path().iterdir())
    holds(run(*args.split()), code, *words.split("|"))
    assert sorted(Path().iterdir()) == before


@pytest.mark.parametrize(("option", "code"), [("--out", 2), ("--model", 4), ("--output", 6)])
def test_empty_path(run: Run, bundle: Path, option: str, code: int) -> None:
    put(Path("good.csv"), csv())
    args = ("train", "good.csv", *TINY) if option == "--out" else ("predict", "good", "--model", bundle)
    holds(run(*args, option, ""), code)


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        ("good 1 2 3\nbad 4 5\n", 3, "v.vec|2 dimensions|3 dimensions"),
        ("", 3, "v.vec|no usable vectors"),
        (b"\x00\x9f\x92\x96" * 100, 3, "v.vec|no usable vectors"),
        ("hello there my friend\n", 3, "v.vec|no usable vectors"),
        ("xq 1 2 3\nzq 4 5 6\n", 3, "v.vec|none of the"),
        (None, 2, "v.vec|no file"),
    ],
)
def test_bad_vectors(run: Run, content: Content | None, code: int, words: str) -> None:
    put(Path("good.csv"), csv())
    if content is not None:
        put(Path("v.vec"), content)
    vectors = ("--set", "embedding.source=pretrained", "--set", "embedding.vectors=v.vec")
    done = run("train", "good.csv", "--out", "out", *TINY, *vectors)
    holds(done, code, *words.split("|"))
    assert "NoneType" not in done.err
    assert not Path("out").exists()


def test_unknown_vectors(run: Run) -> None:
    put(Path("good.csv"), csv())
    vectors = ("--set", "embedding.source=pretrained", "--set", "embedding.vectors=glove.6B.10d")
    done = run("train", "good.csv", "--out", "out", *TINY, *vectors)
    holds(done, 2, "glove.6B.10d", "did you mean 'glove.6B.100d'")


@pytest.mark.parametrize(
    ("more", "codes", "words"),
    [
        ("tokenizer.min_frequency=1000000", {3}, "tokenizer.min_frequency"),
        ("tokenizer.kind=unigram tokenizer.max_size=3", {2, 3}, "tokenizer.max_size"),
        ("training.learning_rate=1e38 training.schedule=constant", {1, 2}, "learning_rate"),
    ],
)
def test_setting_that_fails_on_the_way(run: Run, more: str, codes: set[int], words: str) -> None:
    put(Path("good.csv"), csv())
    settings = [part for one in more.split() for part in ("--set", one)]
    done = run("train", "good.csv", "--out", "out", *TINY, *settings)
    assert done.code in codes, done.err
    holds(done, done.code, *words.split("|"))
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("sentiment.inference.bundle.build_model", MemoryError(), "out of memory|hidden_size"),
        (
            "sentiment.inference.bundle.build_model",
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            "out of memory|hidden_size",
        ),
        ("safetensors.torch.save_file", OSError(28, "No space left on device", "x"), "x: no space left"),
        (
            "safetensors.torch.save_file",
            SafetensorError("I/O error: No space left on device (os error 28)"),
            "no space left",
        ),
        (
            "sentiment.core.files.write_json",
            PermissionError(13, "Permission denied", "x"),
            "x: no permission",
        ),
        ("sentiment.core.files.write_text", OSError(30, "Read-only file system", "x"), "x: no permission"),
        ("sentiment.core.files.write_text", OSError(27, "File too large", "x"), "x"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_machine_at_its_end(
    run: Run, monkeypatch: pytest.MonkeyPatch, place: str, error: Exception, words: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    put(Path("good.csv"), csv())
    monkeypatch.setattr(place, fail)
    holds(run("train", "good.csv", "--out", "out", *TINY), 6, *words.split("|"))
    assert not Path("out").exists()


@pytest.mark.parametrize("similarity", ["0.999", "0.0001"])
def test_any_similarity_is_searched(run: Run, similarity: str) -> None:
    put(Path("good.csv"), csv())
    holds(run("audit", "good.csv", "--set", f"corpus.similarity={similarity}"), 0)


# Odd names and texts that have to work


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a,b", "c\nd"),
        ("[red]", "[/red]"),
        ("a|b", "c\\|d"),
        ("accuracy", "macro avg"),
        ("weighted avg", "micro avg"),
        ("\x1b[31mred", "\x07bell"),
        ("😀", "👍"),
    ],
)
def test_odd_labels_survive_all_verbs(run: Run, first: str, second: str) -> None:
    put(Path("c.jsonl"), jsonl(positive=first, negative=second))
    trained = run("train", "c.jsonl", "--out", "out", *TINY)
    holds(trained, 0)
    assert "\x1b" not in trained.out, "a label must not steer the terminal"
    scored = json.loads(run("report", "out", "--json").out)
    each = scored["test"]["classification_report"]
    assert {name: each[name]["support"] for name in (first, second)} == {
        name: sum(row) for name, row in zip(scored["test"]["labels"], scored["test"]["confusion_matrix"],
                                            strict=True)
    }  # fmt: skip
    predicted = json.loads(run("predict", "good", "--model", "out", "--format", "jsonl").out)
    assert set(predicted["probabilities"]) == {first, second}
    shown = run("predict", "good", "--model", "out").out
    assert (shown.count("\n"), shown.count("\x1b"), len(shown.split("\t"))) == (1, 0, 3)
    table_lines = [line for line in Path("out/README.md").read_text().splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in table_lines), "a label must not break the card's tables"
    holds(run("audit", "c.jsonl"), 0)


def test_markup_in_names_and_texts(run: Run) -> None:
    rows = [("[/b] same text", "[/red]"), ("[/b] same text", "[x]"), *ROWS]
    put(Path("[/x].csv"), csv(rows))
    done = run("audit", "[/x].csv")
    holds(done, 0)
    assert "[/red]" in done.out
    assert "[/x].csv" in done.out


ODD_TEXTS = [
    "<pad> <unk> <pad>", "\x1b[2J\x1b[31mred", "nul \x00 byte", "😀😀", "\u200b\u200b", "\u2028 x",
    "a" * 100_000, "w " * 500_000, "https://" + "x" * 1000, "1" * 10_000, "[/red] [bold]",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["word", "char"])
def test_odd_texts(run: Run, kind: str) -> None:
    lines = [json.dumps({"text": text, "label": "pos"}) for text in ODD_TEXTS]
    put(Path("c.jsonl"), jsonl(*lines))
    holds(run("train", "c.jsonl", "--out", "out", "--set", f"tokenizer.kind={kind}", *TINY), 0)
    done = run("predict", "--input", "c.jsonl", "--model", "out", "--format", "text")
    holds(done, 0)
    assert done.out.count("\n") == 24 + len(ODD_TEXTS)
    assert "\x1b" not in done.out


@pytest.mark.slow
def test_a_hundred_classes(run: Run) -> None:
    rows = [(f"word{n} alpha{m} beta{n * m}", f"class{n}") for n in range(100) for m in range(4)]
    put(Path("c.csv"), csv(rows))
    holds(run("train", "c.csv", "--out", "out", *TINY), 0)
    assert len(json.loads(Path("out/manifest.json").read_text())["labels"]) == 100


# Bundles

FILES = (
    "config.toml", "tokenizer.json", "model.safetensors", "history.jsonl", "report.json",
    "decision.json", "predictions.parquet", "predictions-validation.parquet",
)  # fmt: skip


@pytest.fixture
def copied(bundle: Path, tmp_path: Path) -> Path:
    """Copy the bundle, to damage it."""
    target = tmp_path / "m"
    target.mkdir()
    for file in bundle.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("change", "word"),
    [
        (None, "missing"),
        (lambda data: data + b" ", "changed"),
        (lambda data: data[:20], "changed"),
        (lambda _: b"", "changed"),
    ],
    ids=["missing", "longer", "cut", "empty"],
)
def test_damaged_bundle(
    run: Run, copied: Path, name: str, change: Callable[[bytes], bytes] | None, word: str
) -> None:
    if change is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(change((copied / name).read_bytes()))
    holds(run("predict", "good", "--model", copied), 4, name, word)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 3}, "newer|schema 3|upgrade"),
        ({"schema": "x"}, "m: not a readable bundle"),
        ({"schema": None}, "m: not a readable bundle"),
        ({"schema": ...}, "m: not a readable bundle|schema"),
        ({"files": None}, "m"),
        ({"files": []}, "m"),
        ({"files": ...}, "m"),
        ({"labels": ...}, "m: not a readable bundle|labels"),
        ({"labels": None}, "m: not a readable bundle"),
        ({"labels": ["one"]}, "m"),
        ({"labels": ["a", "b", "c"]}, "m"),
        ({"labels": ["a", "a"]}, "m"),
        ({"model": ...}, "m: not a readable bundle|model"),
        ({"model": []}, "m: not a readable bundle"),
        ({"model": {"vocab_size": 3}}, "m"),
        ({"corpus": ...}, "m"),
        ({"corpus": None}, "m"),
    ],
    ids=str,
)
@pytest.mark.parametrize("verb", ["predict", "report"])
def test_bad_manifest(run: Run, copied: Path, verb: str, change: dict[str, Any], words: str) -> None:
    manifest = json.loads((copied / "manifest.json").read_text()) | change
    kept = {key: value for key, value in manifest.items() if value is not ...}
    put(copied / "manifest.json", json.dumps(kept))
    done = run("report", copied) if verb == "report" else run("predict", "good", "--model", copied)
    if verb == "predict" and "corpus" in change:
        assert done.code in (0, 4), done.err  # predicting has no use for it
    else:
        holds(done, 4, *words.split("|"))


@pytest.mark.parametrize("content", ["[]", "null", "hello", "", b"\xff", "{}"])
def test_manifest_that_is_none(run: Run, copied: Path, content: Content) -> None:
    put(copied / "manifest.json", content)
    holds(run("predict", "good", "--model", copied), 4, "m")


@pytest.mark.parametrize(
    ("name", "content"),
    [("config.toml", "foo = 1\n"), ("tokenizer.json", "{}"), ("report.json", "[]"), ("decision.json", "{}")],
)
def test_bundle_whose_hashes_are_right_but_not_its_content(
    run: Run, copied: Path, name: str, content: str
) -> None:
    put(copied / name, content)
    manifest = json.loads((copied / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    put(copied / "manifest.json", json.dumps(manifest))
    holds(run("report", copied), 4, "m")


def test_bundle_without_its_card_is_whole(run: Run, copied: Path) -> None:
    (copied / "README.md").unlink()
    holds(run("predict", "good", "--model", copied), 0)


# Predicting


def lines(done: Outcome) -> list[Any]:
    """Parse JSONL, strictly."""
    return [json.loads(line, parse_constant=pytest.fail) for line in done.out.splitlines()]


@pytest.mark.parametrize(
    ("args", "stdin", "expected"),
    [
        # expected: the id of each row, with ! where it has an error
        ("--input -", b"good\n\nbad\n", "0 1! 2"),
        ("", b"good\nbad", "0 1"),
        ("--input -", b"\xef\xbb\xbfgood\n", "0"),
        ("--input -", "good\nbad\n".encode("utf-16"), "0 1"),
        ("--input -", b"caf\xe9\nok\n", "0! 1"),
        ("--input -", b'{"text": "good", "id": "x"}\n{bad\n{"text": null, "id": "y"}\n{"text": "b", "id": "z"}\n',
         "x None! y! z"),
        ("--input -", b'{bad\n{worse\n', "0! 1!"),
        ("--input -", b'{"id": "x"}\n{"id": "y", "text": "good"}\n', "x! y"),
        ("--input -", b'\xef\xbb\xbf{"text": "good", "id": "x"}\n', "x"),
        ("--input -", '{"text": "good", "id": "x"}\n'.encode("utf-16"), "x"),
        ("--input -", b'{"text": "good", "id": "x"}\n{"text": "a", "n": ' + b"1" * 5000 + b"}\n", "x None!"),
        ("--input - --text-column t", b"t,id\ngood,x\nragged\nbad,y\n", "x None! y"),
        ("--input - --text-column t", b'id,t\nx,"two\nlines"\ny,\n', "x y!"),
    ],
)  # fmt: skip
def test_rows_keep_their_order(run: Run, bundle: Path, args: str, stdin: bytes, expected: str) -> None:
    done = run("predict", "--model", bundle, "--format", "jsonl", *args.split(), stdin=stdin)
    assert done.code == int("!" in expected), done.err
    assert " ".join(f"{row['id']}{'!' if 'error' in row else ''}" for row in lines(done)) == expected
    if "!" in expected:
        assert f"{expected.count('!')} rows could not be classified" in done.err
        assert all(row["error"].startswith("stdin:") for row in lines(done) if "error" in row)


@pytest.mark.parametrize(
    ("args", "stdin", "code", "words"),
    [
        ("", b"", 3, "stdin|nothing"),
        ("--input -", b"a\0b\n", 3, "stdin|zero bytes"),
        ("--input - --text-column t", b"x,id\na,b\n", 3, "'t'|'x'"),
        ("--input nope.csv", b"", 3, "nope.csv|No such file"),
        ("--input folder.csv", b"", 3, "folder.csv|Is a directory"),
        ("--input head.csv", b"", 3, "head.csv|nothing in it"),
        ("--input other.csv", b"", 3, "other.csv|--text-column|'foo'"),
        ("--input cut.csv.gz", b"", 3, "cut.csv.gz|cut off"),
        ("good --output folder.csv", b"", 6, "folder.csv"),
        ("good --output no/x.jsonl", b"", 6, "no/x.jsonl"),
        ("good --output /proc/x", b"", 6, "/proc/x"),
        ("good --device mps", b"", 2, "--device cpu"),
    ],
)
def test_predicting_fails_as_a_whole(
    run: Run, bundle: Path, args: str, stdin: bytes, code: int, words: str
) -> None:
    Path("folder.csv").mkdir()
    put(Path("head.csv"), "text,id\n")
    put(Path("other.csv"), "foo,bar\na,b\n")
    numbers = "".join(f"good {number}\n" for number in range(3000))
    put(Path("cut.csv.gz"), gzip.compress(f"text\n{numbers}".encode())[:-200])
    put(Path("old.jsonl"), "old")
    output = () if "--output" in args else ("--output", "old.jsonl")
    holds(run("predict", "--model", bundle, *args.split(), *output, stdin=stdin), code, *words.split("|"))
    assert Path("old.jsonl").read_text() == "old", "a failed run must keep what was there"


@pytest.mark.parametrize("style", ["jsonl", "csv", "text"])
@pytest.mark.parametrize(
    "content", [b'{"id": "\\ud800", "text": "good"}\n{"id": NaN, "text": "bad"}\n'], ids=["odd ids"]
)
def test_odd_ids_reach_a_file(run: Run, bundle: Path, style: str, content: bytes) -> None:
    put(Path("in.jsonl"), content)
    done = run("predict", "--input", "in.jsonl", "--model", bundle, "--format", style, "--output", "o")
    holds(done, 0)
    text = Path("o").read_text("utf-8")
    assert len(text.splitlines()) == 2 + (style == "csv")
    if style == "jsonl":
        lines(Outcome(0, text, ""))


def test_ids_that_are_no_utf8(run: Run, bundle: Path) -> None:
    put(Path("in.csv"), b"id,text\nx\xe9,good\n2,bad\n")
    done = run("predict", "--input", "in.csv", "--model", bundle, "--output", "o")
    assert done.code in (0, 1), done.err
    assert len(Path("o").read_text("utf-8").splitlines()) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_to_a_device(run: Run, bundle: Path) -> None:
    Path("full").symlink_to("/dev/full")
    done = run("predict", "good", "--model", bundle, "--output", "full")
    holds(done, 6, "space")
    assert Path("full").is_symlink(), "the device was replaced by a file"


# Scoring again


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,label\na b,meh\nc d,pos\n", "neg, pos|meh"),
        ("text,label\n", "o.csv|no rows"),
        ("text,label\na b,\n", "o.csv|label"),
        ("one,two,label\na b,c d,pos\n", "o.csv|'text', is not there|--text-column|'two' (such as: c d)"),
    ],
)
def test_scoring_on_a_bad_corpus(run: Run, bundle: Path, content: str, words: str) -> None:
    put(Path("o.csv"), content)
    done = run("report", bundle, "--corpus", "o.csv")
    holds(done, 3, *words.split("|"))
    assert "None" not in done.err


def test_scoring_on_one_class(run: Run, bundle: Path) -> None:
    put(Path("o.csv"), "text,label\na b,pos\nc d,pos\n")
    holds(run("report", bundle, "--corpus", "o.csv"), 0)


def test_scoring_when_the_corpus_changed_or_went(run: Run, bundle: Path) -> None:
    corpus = bundle.parents[1] / "good.csv"
    try:
        put(corpus, csv(ROWS[:-2]))
        holds(run("report", bundle), 3, "not the one", "--corpus")
        corpus.unlink()
        holds(run("report", bundle), 3, "good.csv", "No such file")
    finally:
        put(corpus, csv())


# Stopping and going on


def on_epoch(monkeypatch: pytest.MonkeyPatch, *numbers: signal.Signals) -> None:
    """Send signals at the end of the first epoch of a run."""
    from sentiment.cli.progress import ConsoleListener

    before = ConsoleListener.epoch

    def epoch(self: Any, event: Any, trainer: Any) -> None:
        before(self, event, trainer)
        if trainer.epoch == 1:
            for number in numbers:
                signal.raise_signal(number)

    monkeypatch.setattr(ConsoleListener, "epoch", epoch)


THREE = (*TINY, "--set", "training.epochs=3")


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((signal.SIGINT,), id="SIGINT"),
        pytest.param((signal.SIGTERM,), id="SIGTERM", marks=pytest.mark.slow),
        pytest.param((signal.SIGINT, signal.SIGINT), id="SIGINT twice", marks=pytest.mark.slow),
    ],
)
def test_stopped_and_resumed_is_as_never_stopped(
    run: Run, monkeypatch: pytest.MonkeyPatch, numbers: tuple[signal.Signals, ...]
) -> None:
    put(Path("good.csv"), csv())
    holds(run("train", "good.csv", "--out", "whole", *THREE), 0)
    with monkeypatch.context() as patch:
        on_epoch(patch, *numbers)
        stopped = run("train", "good.csv", "--out", "out", *THREE)
    holds(stopped, 130, "--resume --out out")  # a person must learn how to go on
    assert not Path("out").exists()
    again = call("train", "good.csv", "--out", "out", *THREE)
    assert again == 2, "an unfinished run must not be overwritten"
    holds(run("train", "--resume", "--out", "out"), 0)
    for name in ("model.safetensors", "tokenizer.json", "config.toml"):
        assert Path("out", name).read_bytes() == Path("whole", name).read_bytes()
    assert sorted(path.name for path in Path("out").iterdir()) == sorted(
        path.name for path in Path("whole").iterdir()
    )
    assert not Path("out.partial").exists()


@pytest.mark.parametrize("place", ["read_corpus", "prepare"])
def test_ctrl_c_before_training(run: Run, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    from sentiment.runs import train

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    put(Path("good.csv"), csv())
    monkeypatch.setattr(train, place, stop)
    done = run("train", "good.csv", "--out", "out", *TINY)
    holds(done, 130, "stopped")
    assert not Path("out.partial").exists()


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("checkpoint.safetensors", b"x" * 50, 1),
        ("run.json", b"{}", 4),
        ("run.json", None, 4),
        ("config.toml", b"x=", 4),
        ("config.toml", None, 4),
        ("tokenizer.json", b"{", 4),
        ("vectors.json", b"{}", 4),
    ],
)
def test_resuming_a_damaged_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes | None, code: int
) -> None:
    put(Path("good.csv"), csv())
    with monkeypatch.context() as patch:
        on_epoch(patch, signal.SIGINT)
        holds(run("train", "good.csv", "--out", "out", *THREE), 130)
    if content is None:
        Path("out.partial", name).unlink()
    else:
        put(Path("out.partial", name), content)
    assert call("train", "--resume", "--out", "out") == code
    assert Path("out.partial").is_dir(), "what a person may still mend must stay"


def test_resuming_a_finished_run(run: Run, copied: Path) -> None:
    holds(run("train", "--resume", "--out", copied), 0, "finished already")


# Real processes: pipes, kills, and the Hub


def spawn(*args: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "sentiment.cli", *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("verb", ["predict", "corpora"])
def test_closed_pipe(run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """As in `… | head -1`: whoever reads has enough, which is no fault."""
    reader, writer = os.pipe()
    os.close(reader)
    args = ("predict", "good", "--model", bundle) if verb == "predict" else (verb,)
    with contextlib.suppress(BrokenPipeError), os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        holds(run(*args), 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("verb", ["predict", "report", "corpora"])
def test_full_disk_behind_stdout(run: Run, bundle: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    args = {"predict": ("predict", "good", "--model", bundle), "report": ("report", bundle)}
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        holds(run(*args.get(verb, (verb,))), 6, "space")


@pytest.mark.parametrize(("stream", "code"), [("stdin", 2), ("stdout", 6)])
def test_closed_stream(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], stream: str, code: int
) -> None:
    """`<&-` and `>&-`: Python has None for such a stream."""
    text = () if stream == "stdin" else ("good",)
    monkeypatch.setattr(sys, "argv", ["sentiment", "predict", *text, "--model", str(bundle)])
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert (ended.value.code, "sentiment: " in capfd.readouterr().err) == (code, True)


@pytest.mark.slow
def test_killed_and_resumed(tmp_path: Path) -> None:
    put(tmp_path / "good.csv", csv())
    options = [*TINY, "--set", "training.epochs=2000", "--set", "runtime.threads=1"]
    process = spawn("train", "good.csv", "--out", "out", *options, cwd=tmp_path)
    assert process.stderr is not None
    for line in process.stderr:
        if line.strip().startswith("3/2000"):
            break
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "out").exists()
    resumed = spawn("train", "--resume", "--out", "out", cwd=tmp_path)
    assert resumed.stderr is not None
    seen = next(line for line in resumed.stderr if "/2000" in line).split()[0]
    resumed.send_signal(signal.SIGINT)
    _, err = resumed.communicate(timeout=60)
    assert int(seen.partition("/")[0]) > 2, "it has begun from the start"
    assert resumed.returncode == 130
    assert "--resume" in err


@pytest.fixture(scope="module")
def flaky() -> Iterator[str]:
    with serve_mirror("--fail", "0.3") as url:
        yield url


def audit_hub(corpus: str, url: str, home: Path, **more: str) -> Outcome:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(home)} | more
    process = spawn("audit", "--no-near", "--json", corpus, env=environment)
    out, err = process.communicate(timeout=240)
    assert "Traceback" not in err
    return Outcome(process.returncode, out, err)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("corpus", "offline", "code", "words"),
    [
        ("nosuch/corpus", "0", 3, "nosuch/corpus|no such corpus"),
        ("ucirvine/sms_spam@v9", "0", 3, "ucirvine/sms_spam|no such revision|v9"),
        ("ucirvine/sms_spam:nope", "0", 3, "ucirvine/sms_spam|nope|plain_text"),
        ("ucirvine/sms_spam", "1", 5, "not in the cache|HF_HUB_OFFLINE"),
        ("ucirvine/sms_spam@dev", "1", 5, "dev|never looked up"),
    ],
)
def test_hub_refuses(mirror: str, tmp_path: Path, corpus: str, offline: str, code: int, words: str) -> None:
    done = audit_hub(corpus, mirror, tmp_path, HF_HUB_OFFLINE=offline)
    holds(done, code, *words.split("|"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hub_offline_from_the_cache(mirror: str, tmp_path: Path) -> None:
    online = audit_hub("ucirvine/sms_spam", mirror, tmp_path)
    holds(online, 0)
    down = "http://127.0.0.1:9"
    cached = audit_hub("ucirvine/sms_spam", down, tmp_path, HF_HUB_OFFLINE="1")
    holds(cached, 0)
    assert json.loads(cached.out) == json.loads(online.out)
    other = audit_hub("ucirvine/sms_spam@" + "a" * 40, down, tmp_path, HF_HUB_OFFLINE="1")
    holds(other, 3, "a" * 40)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hub_that_fails_now_and_then(flaky: str, tmp_path: Path) -> None:
    done = audit_hub("ucirvine/sms_spam", flaky, tmp_path)
    if done.code:
        holds(done, 5, "cannot be reached", "try again")
    else:
        assert json.loads(done.out)["splits"]["train"]["texts"] == 5574


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_hub_that_is_down(tmp_path: Path) -> None:
    done = audit_hub("ucirvine/sms_spam", "http://127.0.0.1:9", tmp_path)
    holds(done, 5, "cannot be reached", "HF_HUB_OFFLINE=1")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [(403, {"X-Error-Code": "GatedRepo"}, "gated|hf auth login"), (401, {}, "hf auth login")],
)
def test_hub_that_is_gated(tmp_path: Path, status: int, headers: dict[str, str], words: str) -> None:
    class Gate(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": "2"}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"{}")

        do_HEAD = do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        done = audit_hub("ucirvine/sms_spam", f"http://127.0.0.1:{server.server_port}", tmp_path)
    finally:
        server.shutdown()
        server.server_close()
    holds(done, 5, *words.split("|"))
