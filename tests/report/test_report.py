"""Reports: one content for page, card and terminal, all of it from the report dictionary."""

import ast
import copy
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from conftest import ROOT
from rich.cells import cell_len
from rich.console import Console

from sentiment.metrics.task import MULTICLASS
from sentiment.report import document, figure, html, phrases, plots, renderers, sections

ODD = [
    "<script>alert(1)</script>",
    "عربي",
    "中文",
    "a long name that goes on and on and on | `x` *y*",
    '"& \x1b[31mred\x07',
]
EVIL = "<script>alert(1)</script> & <b>'bold'</b> \x1b[31m"
VOID = {"meta", "br", "link", "img", "hr", "input"}


def made(labels, count=400, seed=0):
    """Return a report with all parts, of random predictions."""
    rng = np.random.default_rng(seed)
    classes = len(labels)
    truth = np.arange(count) % classes
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), truth] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    drawn = iter(rng.uniform(0.1, 0.8, 10_000).tolist())  # a number of its own wherever one is shown

    def around():
        middle = next(drawn)
        return [middle - next(drawn) / 10, middle + next(drawn) / 10]

    def errors():
        parts = ("score", "reliability", "resolution", "uncertainty")
        return {
            "ece": next(drawn),
            "adaptive_ece": next(drawn),
            "brier": {part: next(drawn) for part in parts},
        }

    def rows(most):
        return [
            {"low": 0.1 * place, "high": 0.1 * place + 0.1, "count": 7 * place, "confidence": next(drawn),
             "accuracy": next(drawn), "interval": around()}
            for place in range(1, most)
        ]  # fmt: skip

    two = classes == 2
    rates = ("precision", "recall", "false_positive_rate", "accuracy", "coverage") if two else ("accuracy",)
    sides = labels[1:] if two else labels
    line = np.linspace(0, 1, 20).tolist()
    tested = MULTICLASS.scores(truth, probabilities, labels)
    rival = {"C": 1.0, "features": 5, "train_seconds": 31.4, "predict_seconds": 2.71}
    result = {
        "schema": 2,
        "created": "2026-01-02T03:04:05+00:00",
        "corpus": {"name": "made", "source": "made.csv", "revision": None, "labels": labels, "cut": ["test"],
                   "left_out": {"repeated training texts": 11}, "scored_split": "test",
                   "sizes": {"train": 1234, "validation": 0, "test": count}},
        "tokenizer": {"kind": "word", "types": 3169, "test": {"truncated": 0.123, "unknown_rate": 0.0456}},
        "embedding": {"source": "skipgram", "vectors": None, "size": 100, "types_covered": 0.91, "tokens_covered": 0.97},
        "model": {"parameters": 553446, "kind": "lstm", "hidden_size": 128, "layers": 1, "bidirectional": True, "pooling": ["max"]},
        "training": {"seconds": 271.3, "tokens_per_second": 33767.1, "device": "cpu", "epochs": 2, "best_epoch": 2, "seed": 0, "metric": "mcc"},
        "timing": {"test": 0.161},
        "history": [{"epoch": epoch, "loss": next(drawn), "learning_rate": 0.001,
                     "validation": {"log_loss": next(drawn), "mcc": next(drawn)}} for epoch in (1, 2)],
        "test": tested,
        "intervals": MULTICLASS.intervals(truth, probabilities, resamples=100),
        "decision": {
            "temperature": 1.317, "rule": "threshold" if two else "argmax", "positive": labels[1] if two else None,
            "threshold": 0.7312 if two else None, "target": "precision(spam) >= 0.995" if two else None,
            "unsure": {"low": 0.2231 if two else 0.0, "high": 0.8127, "share": 0.104},
            "validation": {rate: next(drawn) for rate in rates} | {"counts": {"right": 3}},
            "test": {rate: {"value": next(drawn), "interval": around()} for rate in rates} | {"counts": {"right": 3}},
            "holds": True if two else None,
        },
        "calibration": errors() | {"before": errors(), "bins": rows(6), "adaptive_bins": rows(6)},
        "curves": {
            "roc": {name: {"fpr": line, "tpr": line, "auc": next(drawn)} for name in sides},
            "pr": {name: {"recall": line, "precision": line[::-1], "average_precision": next(drawn)} for name in sides},
            "coverage": {"coverage": [0.5, 0.9, 1.0], "accuracy": [0.99, 0.9731, tested["accuracy"]], "threshold": [0.9, 0.6, 0.5]},
            "histogram": {"edges": np.linspace(0, 1, 21).tolist(), "counts": {name: list(range(20)) for name in labels}},
            "lengths": rows(4),
        },
        "baselines": {
            name: MULTICLASS.scores(truth, rng.dirichlet(np.ones(classes), count), labels) | rival | {
                "comparison": {"difference": next(drawn), "interval": around(), "ours_only": 71, "theirs_only": 29, "p": next(drawn) / 5}}
            for name in ("majority", "tfidf_lr", "nbsvm")
        },
        "failures": {
            "slices": [{"slice": "length", "value": f"{place} tokens", "count": 31 * place, "accuracy": next(drawn),
                        "interval": around(), "difference": -next(drawn), "p": next(drawn)} for place in range(1, 13)],
            "mistakes": [{"row": 901, "text": EVIL, "label": labels[0], "predicted": labels[1], "probability": 0.9642,
                          "truncated_text": False, "words": [{"start": 0, "end": 8, "text": "<script>", "weight": 0.7}]}],
            "suspects": [{"split": "train", "row": 17, "text": EVIL, "label": labels[0], "suggested": labels[1], "quality": 0.0123}],
        },
        "audit": {
            "splits": {"train": {"texts": 1234, "labels": dict.fromkeys(labels, 617), "words": {"least": 1, "median": 15, "95th percentile": 44, "most": 190},
                                 "unusable_rows": {"count": 3, "examples": []}, "oddities": {"HTML tags": {"count": 21, "example": EVIL}}}},
            "repeats": [{"of": "train", "in": "test", "exact": 41, "normalised": 43}],
            "conflicts": {"count": 2, "examples": []},
            "near_duplicates": {"similarity": 0.8, "count": 5, "by_splits": [{"of": "test", "in": "train", "count": 5}], "examples": []},
            "leakage": [{"token": "<free>", "label": labels[1], "count": 31, "share": 0.987, "lift": 7.41}],
        },
        "settings": {"corpus.name": "made"},
        "versions": {"sentiment": "0.1.0"},
    }  # fmt: skip
    return {"verdict": phrases.verdict(result), **result}


SPAM = made(["ham", "spam"])
BARE = {"schema": 2, "verdict": "Good.", "test": SPAM["test"], "intervals": SPAM["intervals"]}
CASES = {
    "spam": SPAM,
    "bare": BARE,
    "odd": made(ODD),
    "twenty": made([f"rather long topic {number}" for number in range(20)]),
    "hundred": made([f"topic {number}" for number in range(100)], 1000),
}


class Page(HTMLParser):
    """Reads a page and objects to what is not well-formed, not unique or not in the page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.used, self.words, self.tags = [], [], set(), [], set()
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        named = dict(attributes)
        assert len(named) == len(attributes)
        assert not [name for name in named if name.startswith("on")]
        for name in ("src", "href", "xlink:href", "action"):
            assert named.get(name, "#").startswith("#"), named
        self.ids += [named["id"]] if "id" in named else []
        self.used |= set(re.findall(r"#([\w-]+)", " ".join(filter(None, named.values()))))
        if tag == "svg":
            assert named["role"] == "img"
            assert named["aria-label"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg"} & set(self.open):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def terminal(result, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(renderers.render(result))
    return console.export_text()


def flat(text):
    return " ".join(text.replace("\\", "").split())


@pytest.fixture(scope="module")
def pages():
    return {name: html.page(result) for name, result in CASES.items()}


def numbers(value):
    """Yield all numbers and texts of a report."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part)
    else:
        yield value


def test_every_number_shown_is_one_of_the_report(pages):
    """No score is computed in rendering: each decimal is a number of report.json, rounded."""
    known = set()
    for value in numbers(SPAM):
        if isinstance(value, str):
            known |= set(re.findall(r"\d+\.\d+", value))
        elif isinstance(value, float):
            known |= {f"{abs(value):.{digits}f}" for digits in (1, 2, 3, 4)}
            known |= {f"{abs(100 * value):.{digits}f}" for digits in (1, 2)}
    known |= {"0.01"}  # "< 0.01 s"
    for text in (terminal(SPAM), renderers.card(SPAM), Page(pages["spam"]).text):
        shown = set(re.findall(r"\d+\.\d+", text))
        assert len(shown) > 100
        assert shown <= known, shown - known


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, part in value.items():
            yield from leaves(part, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for place, part in enumerate(value):
            yield from leaves(part, (*path, place))
    else:
        yield path, value


EXPECTED = {
    r"test/(accuracy|mcc|macro_f1|balanced_accuracy|weighted_f1|roc_auc|average_precision|log_loss|brier)": phrases.number,
    r"test/classification_report/(ham|spam)/(precision|recall|f1-score)": phrases.number,
    r"intervals/.*": phrases.interval,
    r"baselines/\w+/(mcc|macro_f1|log_loss|brier)": phrases.number,
    r"baselines/\w+/accuracy": phrases.percent,
    r"baselines/\w+/comparison/difference": phrases.points,
    r"baselines/\w+/comparison/p": phrases.p_value,
    r"baselines/\w+/(train|predict)_seconds": phrases.seconds,
    r"calibration/(before/)?(ece|adaptive_ece)": phrases.percent,
    r"calibration/(before/)?brier/\w+": phrases.number,
    r"decision/(threshold|unsure/low|unsure/high)": phrases.number,
    r"decision/unsure/share": phrases.percent,
    r"decision/temperature": "{:.3f}".format,
    r"decision/test/\w+/value": phrases.percent,
    r"decision/validation/(?!counts)\w+": phrases.percent,
    r"failures/slices/\d/(accuracy)": phrases.percent,
    r"failures/slices/\d/difference": phrases.points,
    r"failures/slices/\d/count": "{:,}".format,
    r"failures/mistakes/0/probability": phrases.percent,
    r"failures/suspects/0/quality": "{:.3f}".format,
    r"audit/leakage/0/share": phrases.percent,
    r"training/seconds": phrases.seconds,
    r"timing/test": phrases.seconds,
}  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
def test_a_number_of_the_report_is_shown_everywhere(seed, monkeypatch):
    """Other numbers in the dictionary are other numbers on the page, the card and the terminal."""
    monkeypatch.setattr(html, "svg", lambda plot: "")
    result, rng = copy.deepcopy(SPAM), np.random.default_rng(seed)
    planted = []
    for path, value in list(leaves(SPAM)):
        pattern = next(
            (pattern for pattern in EXPECTED if re.fullmatch(pattern, "/".join(map(str, path)))), None
        )
        if pattern is None or isinstance(value, str | bool | None):
            continue
        holder = result
        for key in path[:-1]:
            holder = holder[key]
        low = float(rng.uniform(0.1, 0.5))
        holder[path[-1]] = (
            [low, low + 0.3] if isinstance(value, list) else int(1e5 * low) if isinstance(value, int) else low
        )
        planted.append((path, EXPECTED[pattern](holder[path[-1]])))
    assert len(
        {
            pattern
            for pattern in EXPECTED
            for path, _ in planted
            if re.fullmatch(pattern, "/".join(map(str, path)))
        }
    ) == len(EXPECTED)
    shown = {
        "terminal": flat(terminal(result, 120)),
        "card": flat(renderers.card(result)),
        "page": Page(html.page(result)).text.replace("\N{NO-BREAK SPACE}", " "),
    }
    for path, text in planted:
        for where, rendering in shown.items():
            assert text in rendering, (where, path)


def test_renderers_cannot_compute_scores():
    barred = r"matplotlib\.pyplot|numpy|scipy|sklearn|sentiment\.metrics\.(?!(task|catalogue)\.)"
    names = {
        f"{getattr(node, 'module', '')}.{alias.name}".lstrip(".")
        for file in (ROOT / "sentiment" / "report").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert "sentiment.metrics.catalogue.SCORES" in names
    assert not [name for name in names if re.match(barred, name)]


@pytest.mark.parametrize("name", CASES)
def test_a_page_is_whole_and_asks_for_nothing(pages, name):
    page = Page(pages[name])
    assert len(page.ids) == len(set(page.ids))
    assert page.used <= set(page.ids)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "base"}
    assert not re.search(r"https?:|@import|url\((?!#)", pages[name])
    assert len(pages[name]) < 1_500_000
    assert CASES[name]["verdict"].partition(" ")[0] in page.text


@pytest.mark.parametrize("name", ["spam", "odd"])
def test_texts_are_never_markup(pages, name):
    result = CASES[name]
    assert "<script" not in pages[name]
    assert "<b>" not in pages[name]
    assert not re.search("[\x00-\x08\x0b-\x1f]", pages[name])
    assert EVIL.replace("\x1b", " ") in "".join(Page(pages[name]).words)
    assert "\x1b[31m" not in terminal(result)
    card = renderers.card(result)
    assert not re.search(r"(?<!\\)<", card)
    for row in [line for line in card.splitlines() if line.startswith("|")]:
        assert len(re.findall(r"(?<!\\)\|", row)) >= 3


def test_equal_reports_give_equal_bytes_also_from_threads(pages):
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):  # a user's own
        before = dict(matplotlib.rcParams)
        with ThreadPoolExecutor(2) as pool:
            again = list(pool.map(html.page, [copy.deepcopy(SPAM), BARE]))
        assert dict(matplotlib.rcParams) == before
    assert again == [pages["spam"], pages["bare"]]


@pytest.mark.parametrize("part", [key for key in SPAM if key not in BARE])
def test_a_report_lacks_a_part(part, monkeypatch):
    monkeypatch.setattr(html, "svg", lambda plot: "")
    for result in (CASES["odd"], SPAM):
        less = {key: value for key, value in result.items() if key != part}
        less["verdict"] = phrases.verdict(less)
        text = terminal(less) + renderers.card(less) + Page(html.page(less)).text
        assert "None" not in text
        assert "nan" not in text.split()
        assert all(
            section.tables or section.sentences or section.pairs for section in sections.sections(less)
        )


@pytest.mark.parametrize(
    ("path", "drawn"),
    [
        ("decision", {"roc", "probabilities"}),
        ("training", {"learning"}),
        ("calibration.before", {"reliability"}),
    ],
)
def test_plots_lack_a_part(path, drawn):
    less = copy.deepcopy(SPAM)
    holder = less
    *way, last = path.split(".")
    for key in way:
        holder = holder[key]
    del holder[last]
    chosen = [plot for plot in plots.plots(less) if plot.name in drawn]
    assert {plot.name for plot in chosen} == drawn
    assert all(figure.svg(plot).startswith("<svg") for plot in chosen)


@pytest.mark.parametrize("name", CASES)
def test_a_terminal_of_80_columns_is_not_torn(name):
    result = CASES[name]
    lines = terminal(result).splitlines()
    assert max(map(cell_len, lines)) <= 80
    if "baselines" in result:
        assert [line for line in lines if line.startswith("balanced accuracy ")]


def test_of_many_classes_the_worst_are_shown(pages):
    result = CASES["hundred"]
    each = result["test"]["classification_report"]
    worst = min(result["test"]["labels"], key=lambda name: each[name]["f1-score"])
    table = next(section for section in sections.sections(result) if section.name == "classes").tables[0]
    assert table.rows[0][0] == worst
    assert (len(table.rows), len(table.more)) == (10, 90)
    assert "there are 90 more" in flat(terminal(result))
    assert all(f">{name}<" in pages["hundred"] for name in result["test"]["labels"])


def verdict_of(*, difference, p, rival="tfidf_lr"):
    less = {"tfidf_lr": {"accuracy": 0.5, "comparison": {"difference": 0.3, "p": 0.001}}}
    strong = {"accuracy": 0.9, "comparison": {"difference": difference, "p": p}}
    return phrases.verdict(SPAM | {"baselines": less | {rival: strong}})


def test_the_verdict_tells_the_strongest_baseline_and_who_wins():
    tested, (low, high) = SPAM["test"]["accuracy"], SPAM["intervals"]["accuracy"]
    start = (
        f"{tested:.1%} accuracy [{low:.1%}, {high:.1%}]".replace("%]", "]")
        .replace("%,", ",")
        .replace("%", " %")
    )
    assert verdict_of(difference=0.0141, p=1e-5).startswith(
        start + " on 400 held-out texts of made; 1.4 points above"
    )
    assert verdict_of(difference=0.0141, p=1e-5).endswith("1.4 points above TF-IDF + LR, p < 0.001.")
    assert "NB-SVM WINS, by 2.0 points, p = 0.031." in verdict_of(difference=-0.02, p=0.031, rival="nbsvm")
    assert "0.3 points below NB-SVM, within chance, p = 0.550." in verdict_of(
        difference=-0.003, p=0.55, rival="nbsvm"
    )
    assert "as good as NB-SVM, p = 1.000." in verdict_of(difference=0.0, p=1.0, rival="nbsvm")
    assert phrases.verdict(BARE).endswith("on 400 texts.")


def test_names_that_differ_stay_apart_when_they_are_cut():
    long = "comp.os.ms-windows.misc"
    assert phrases.shortened(["short", long], 22) == ["short", "comp.os.ms-windows.mi…"]
    names = phrases.shortened(["short", *(f"{long}.{place}" for place in range(20))], 22)
    assert len(set(names)) == 21
    assert names[:2] == ["short", "comp.os.ms…dows.misc.0"]
    assert max(map(phrases.width, names)) <= 22
    wide = phrases.shortened(["漢字" * 8 + one for one in "上下"], 22)
    assert len(set(wide)) == 2
    assert max(map(phrases.width, wide)) <= 22


def test_a_share_is_not_rounded_to_all_or_nothing():
    assert phrases.percent(0.9996) == "99.96 %"
    assert phrases.percent(0.0002, [0.0, 0.0111]) == "0.02 % [0.00, 1.11]"
    assert phrases.percent(1.0) == "100.0 %"
    assert phrases.percent(None) == "–"
    assert phrases.points(-0.0131, [-0.02, 0.001]) == "−1.3 [−2.0, +0.1]"


def test_a_passage_is_where_the_weight_is():
    text = "dull " * 100 + "MARVEL " + "dull " * 100
    start = text.index("MARVEL")
    word = {"start": start, "end": start + 6, "text": "MARVEL", "weight": -2.0}
    piece = document.passage(text, 60, [word])
    (mark,) = piece.marks
    assert piece.text[mark[0] : mark[1]] == "MARVEL"
    assert mark[2] == -1
    assert len(piece.text) <= 62
    assert "".join(part for part, _ in html.pieces(piece)) == piece.text
    assert ("MARVEL", -1) in html.pieces(piece)


def test_png_files_have_the_plots(tmp_path):
    files = plots.save_png(CASES["odd"], tmp_path / "new" / "folder")
    assert [file.stem for file in files] == [plot.name for plot in plots.plots(CASES["odd"])]
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_colours_can_be_read():
    """Contrast of all text colours on their ground, light and dark: WCAG's AA."""

    def luminance(colour):
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    for mode in (0, 1):
        ground = luminance(figure.PALETTE["ground"][mode])
        for name in ("ink", "muted", "first", "second", "third", "fourth"):
            low, high = sorted((ground, luminance(figure.PALETTE[name][mode])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (name, mode)


def test_a_bundle_has_its_page(tiny):
    stored = json.loads((tiny.bundle.folder / "report.json").read_text("utf-8"))
    assert stored["schema"] == 2
    assert [record["epoch"] for record in stored["history"]] == [1, 2]
    assert (tiny.bundle.folder / html.NAME).read_text("utf-8") == html.page(stored)


@pytest.mark.slow
def test_the_command_writes_page_and_plots(command, tiny, tmp_path):
    page, folder = tmp_path / "page.html", tmp_path / "png"
    done = command("report", tiny.bundle.folder, "--html", page, "--png", folder, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert page.read_text("utf-8") == html.page(result)
    assert {file.stem for file in folder.iterdir()} == {plot.name for plot in plots.plots(result)}
    assert "confusion" in {file.stem for file in folder.iterdir()}


def test_on_another_corpus_nothing_is_said_of_the_models_own(command, tiny, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "".join(f"good {n},positive\nbad {n},negative\n" for n in range(30)))
    done = command("report", tiny.bundle.folder, "--corpus", other, "--json")
    result = json.loads(done.out)
    assert not {"baselines", "audit", "timing"} & result.keys()
    assert result["corpus"]["trained_on"] == tiny.bundle.manifest["corpus"]["source"]
    text = renderers.card(result)
    assert f"trained on: {result['corpus']['trained_on']}" in text
    assert "scored once" in renderers.card(tiny.report)
    assert "scored once" not in text
    assert "held-out" not in result["verdict"]


def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(command, tmp_path):
    (tmp_path / "file").touch()
    for option, place in (
        ("--html", tmp_path),
        ("--html", tmp_path / "no" / "x.html"),
        ("--png", tmp_path / "file"),
    ):
        done = command("report", tmp_path / "no_model", option, place)
        assert done.code == 6
        assert str(place) in done.err


def test_a_page_goes_into_a_device_or_through_a_link_and_replaces_neither(tmp_path):
    pipe, link, target = (tmp_path / name for name in ("pipe", "link.html", "target.html"))
    os.mkfifo(pipe)
    link.symlink_to(target)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text, "utf-8")
        html.write(BARE, pipe)
        assert read.result(timeout=10) == html.page(BARE)
    html.write(BARE, link)
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert target.read_text("utf-8") == html.page(BARE)
