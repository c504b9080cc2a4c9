"""The commands as a person types them."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, TINY_OPTIONS, run_process

from sentiment.cli import MODULES
from sentiment.inference import bundle

VERBS = list(MODULES)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(command, verb):
    done = command(verb, "--help")
    assert done.code == 0
    assert re.search(rf"Examples:\n.*sentiment {verb}", done.out)


def test_an_error_is_one_line_whatever_a_label_is_made_of(command, tmp_path):
    file = tmp_path / "p.csv"
    file.write_text('label,"p_two\nlines",p_b\nb,1,0\n\x1b[31mc,0,1\n')
    done = command("report", "--predictions", file)
    assert (done.code, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1
    assert "two lines" in done.err
    assert "\x1b" not in done.err


def test_the_scripts_are_doors_to_the_verbs():
    for script in ("train", "predict", "report"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "scripts" / f"{script}.py"), "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "Examples:" in done.stdout


def test_train_then_predict_without_naming_the_model(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = command("train", *TINY_OPTIONS)
    assert done.code == 0, done.err
    assert "accuracy" in done.out
    assert "2/2" in done.err
    [folder] = (tmp_path / "artifacts").iterdir()
    done = command("predict", "I loved it", "a waste of time")
    assert done.code == 0
    assert [line.split("\t")[0] in {"positive", "negative"} for line in done.out.splitlines()] == [True, True]
    assert folder.name in done.err


@pytest.mark.parametrize("style", ["text", "jsonl", "csv"])
def test_a_file_is_scored_in_every_format_and_order_is_kept(command, tiny, tmp_path, style):
    source, target = tmp_path / "in.csv", tmp_path / "out"
    with source.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review"])
        writer.writerows([f"r{i}", f"text, number {i}\nhere" if i != 3 else ""] for i in range(50))
    done = command(
        "predict", "--model", tiny.bundle.folder, "--input", source, "--output", target, "--format", style
    )
    assert (done.code, done.out) == (1, "")
    assert "1 rows" in done.err
    content = target.read_text("utf-8")
    if style == "text":
        lines = content.splitlines()
        assert len(lines) == 50
        assert lines[3].startswith("error\t")
        assert "in.csv:" in lines[3]
        return
    if style == "jsonl":
        rows = [json.loads(line) for line in content.splitlines()]
        expected = {"id", "label", "probability", "unsure", "probabilities", "unknown_rate", "truncated"}
        assert set(rows[0]) == expected
        assert set(rows[3]) == {"id", "error"}
    else:
        rows = list(csv.DictReader(io.StringIO(content)))
        assert float(rows[0]["p_negative"]) + float(rows[0]["p_positive"]) == pytest.approx(1)
        assert rows[3]["error"]
        assert not rows[3]["label"]
    assert [row["id"] for row in rows] == [f"r{i}" for i in range(50)]
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ([], "one\ntwo\n"),
        ([], '{"text": "one"}\n{"text": "two"}\n'),
        (["--text-column", "b"], "a,b\n1,one\n2,two\n"),
    ],
)
def test_stdin_in_its_three_forms(tiny, options, content):
    done = run_process("predict", "--model", tiny.bundle.folder, "--input", "-", *options, stdin=content)
    assert done.code == 0
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["id"] for row in rows] == [0, 1]
    expected = tiny.predict(["one", "two"])
    assert [row["probability"] for row in rows] == pytest.approx([one.probability for one in expected])


def test_a_text_does_not_steer_the_terminal(command, tiny):
    done = command("predict", "--model", tiny.bundle.folder, "red \x1b[31m text\nand more")
    assert "\x1b" not in done.out
    assert len(done.out.splitlines()) == 1


def test_the_report_is_printed_or_json(command, tiny):
    folder = tiny.bundle.folder
    shown, data = command("report", folder), command("report", folder, "--json")
    assert shown.code == data.code == 0
    result = json.loads(data.out)
    assert result["test"] == tiny.report["test"]
    assert f"{result['test']['accuracy']:.4f}" in shown.out


def test_audit_and_corpora(command):
    assert json.loads(command("audit", "sample", "--json").out)["splits"]["train"]["texts"] == 900
    assert "no benchmark" in command("corpora").out


def test_settings_come_from_file_then_options(command, tmp_path):
    file, out = tmp_path / "run.toml", tmp_path / "run"
    file.write_text("seed = 5\n[training]\nepochs = 1\n[model]\nhidden_size = 3\n")
    done = command(
        "train", "sample_spam", "--config", file, "--out", out, *TINY_OPTIONS, "--set", "model.hidden_size=4"
    )
    assert done.code == 0, done.err
    loaded = bundle.load(out)
    assert (loaded.config.seed, loaded.config.model.hidden_size, loaded.labels) == (5, 4, ("ham", "spam"))


@pytest.mark.slow
def test_a_deterministic_run_gives_the_same_model_twice(command, tmp_path):
    for name in ("one", "two"):
        done = command("train", *TINY_OPTIONS, "--deterministic", "--out", tmp_path / name)
        assert done.code == 0, done.err
    one, two = (tmp_path / name / "model.safetensors" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert bundle.load(tmp_path / "one").config.runtime.deterministic


def wait_for(path, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_as_if_it_never_stopped(tmp_path, kill):
    options = [*TINY_OPTIONS, "--set", "training.epochs=40", "--set", "model.word_dropout=0.1"]
    whole = run_process("train", *options, "--out", tmp_path / "whole")
    assert whole.code == 0, whole.err
    process = subprocess.Popen(
        [sys.executable, "-m", "sentiment.cli", "train", *options, "--out", str(tmp_path / "cut")],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    wait_for(tmp_path / "cut.partial" / bundle.CHECKPOINT)
    os.kill(process.pid, kill)
    _, err = process.communicate(timeout=60)
    if kill != signal.SIGKILL:
        assert process.returncode == 130, err
        assert f"sentiment train --resume --out {tmp_path / 'cut'}" in err
    assert not (tmp_path / "cut").exists()
    done = run_process("train", "--resume", "--out", tmp_path / "cut")
    assert done.code == 0, done.err
    one, two = (tmp_path / name / "model.safetensors" for name in ("whole", "cut"))
    assert one.read_bytes() == two.read_bytes()
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "cut")]
    assert reports[0]["test"] == reports[1]["test"]
    assert reports[0]["training"]["updates"] == reports[1]["training"]["updates"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tiny, tmp_path):
    peaks = []
    for count in (20_000, 200_000):
        source = tmp_path / f"{count}.txt"
        with source.open("w") as file:
            file.writelines(f"a text of some words, number {i}\n" for i in range(count))
        code = (
            "import resource, sys\nfrom sentiment import cli\n"
            f"sys.argv = ['sentiment', 'predict', '--model', {str(tiny.bundle.folder)!r}, '--input', {str(source)!r},"
            " '--output', '/dev/null', '--format', 'csv']\n"
            "try:\n    cli.main()\nfinally:\n"
            "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.05 * peaks[0]
