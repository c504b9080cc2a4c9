"""One report dictionary → JSON, Markdown card, terminal tables. Nothing is retyped."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sentiment import config as settings_module
from sentiment.bundle import versions
from sentiment.calibration import calibration, temper
from sentiment.config import Config, ReportConfig
from sentiment.corpus import Corpus
from sentiment.curves import curves
from sentiment.decision import Decision, describe
from sentiment.errors import BundleError
from sentiment.metrics import intervals, scores
from sentiment.model import count_parameters
from sentiment.rows import printable
from sentiment.tokenizer import Encoded, Tokenizer
from sentiment.training import Trainer

SCHEMA = 2
NAMES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "mcc": "MCC",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
}
BASELINES = {"majority": "majority class", "tfidf_lr": "TF-IDF + LR", "nbsvm": "NB-SVM"}
MANY_CLASSES = 12  # from here on a confusion matrix no longer fits a terminal


def evaluation(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: Sequence[str],
    config: ReportConfig,
    decision: Decision | None = None,
    lengths: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Return the parts of a report that follow from labels (B,) and tempered probabilities (B, C).

    They are ``test``, ``intervals``, ``calibration`` and ``curves``; with a decision also ``decision``,
    and the calibration before its temperature; with the lengths (B,) of the texts the curve of them.
    """
    parts = {
        "test": scores(labels, probabilities, names),
        "intervals": intervals(labels, probabilities, config.bootstrap),
        "calibration": calibration(labels, probabilities),
        "curves": curves(labels, probabilities, names, lengths),
    }
    if decision is not None:
        parts["decision"] = describe(decision, labels, probabilities)
        before = temper(probabilities, 1 / decision.temperature)
        parts["calibration"]["before"] = calibration(labels, before)
    return parts


def token_statistics(encoded: Encoded) -> dict[str, float]:
    """Say how a split looks to the model."""
    lengths = encoded.sequences.lengths
    return {
        "tokens": int(lengths.sum()),
        "median_length": float(np.median(lengths)),
        "truncated": float(encoded.truncated.mean()),
        "unknown_rate": float(encoded.unknown_rate.mean()),
    }


def assemble(
    settings: Config,
    corpus: Corpus,
    manifest: dict[str, Any],
    trainer: Trainer,
    device: str,
    tokenizer: Tokenizer,
    embeddings: dict[str, Any],
    scored: dict[str, Any],
    timing: dict[str, float],
    tokens: dict[str, dict[str, float]],
) -> dict[str, Any]:
    """Return the report of a finished run."""
    history = trainer.history
    best = [record for record in history if record["best"]][-1]
    seconds = sum(record["seconds"] for record in history)
    model = settings.model.model_dump()
    result = {
        "schema": SCHEMA,
        "created": manifest["created"],
        "corpus": {
            **manifest["corpus"],
            "sizes": corpus.sizes,
            "labels": list(corpus.labels),
            "cut": list(corpus.cut),
            "left_out": corpus.left_out,
            "scored_split": "test",
        },
        "tokenizer": {"kind": settings.tokenizer.kind, "types": len(tokenizer), **tokens},
        "embedding": {key: value for key, value in embeddings.items() if key != "matrix"},
        "model": {"parameters": count_parameters(trainer.model), **model},
        "training": {
            "seconds": seconds,
            "tokens_per_second": sum(record["tokens"] for record in history) / max(seconds, 1e-9),
            "device": device,
            "epochs": len(history),
            "best_epoch": best["epoch"],
            "updates": trainer.updates,
            "padding": float(np.mean([record["padding"] for record in history])),
            "validation": best["validation"],
            "seed": settings.seed,
        },
        "timing": timing,
        "history": history,
        **scored,
        "settings": dict(settings_module.changed(settings)),
        "versions": versions(),
    }
    return {"verdict": verdict(result), **result}


def verdict(report: dict[str, Any]) -> str:
    """Say in one sentence how good the model is, and against what."""
    test, corpus = report["test"], report["corpus"]
    low, high = report["intervals"]["accuracy"]
    sentence = (
        f"{test['accuracy']:.1%} accuracy [{low:.1%}, {high:.1%}] and MCC {test['mcc']:.3f} "
        f"on {corpus['sizes']['test']:,} texts of {corpus['name']}"
    )
    rival = report.get("baselines", {}).get("tfidf_lr")
    if rival is None:
        return sentence + "."
    points = 100 * (test["accuracy"] - rival["accuracy"])
    if abs(points) < 0.05:
        return sentence + "; as many as TF-IDF + logistic regression."
    side = "above" if points > 0 else "BELOW"
    return sentence + f"; {abs(points):.1f} points {side} TF-IDF + logistic regression."


def score_rows(report: dict[str, Any]) -> list[list[str]]:
    """Return the table of scores: name, model, interval, baselines."""
    rivals = report.get("baselines", {})
    rows = []
    for key, name in NAMES.items():
        interval = report["intervals"].get(key)
        edges = f"[{interval[0]:.4f}, {interval[1]:.4f}]" if interval else ""
        rows.append(
            [
                name,
                _number(report["test"][key]),
                edges,
                *(_number(rival[key]) for rival in rivals.values()),
            ]
        )
    return rows


def class_rows(report: dict[str, Any]) -> list[list[str]]:
    """Return the table of classes: name, precision, recall, F1, texts."""
    each = report["test"]["classification_report"]
    return [
        [
            name,
            *(_number(each[name][key]) for key in ("precision", "recall", "f1-score")),
            f"{each[name]['support']:,.0f}",
        ]
        for name in report["test"]["labels"]
    ]  # fmt: skip


def confusion_rows(report: dict[str, Any]) -> list[list[str]]:
    """Return the confusion matrix: true class, then texts by predicted class."""
    test = report["test"]
    return [
        [name, *(f"{count:,}" for count in row)]
        for name, row in zip(test["labels"], test["confusion_matrix"], strict=True)
    ]


def facts(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what else belongs to the numbers, as pairs of name and text."""
    corpus, tokens, training, model = (report[key] for key in ("corpus", "tokenizer", "training", "model"))
    sizes = ", ".join(f"{count:,} {role}" for role, count in corpus["sizes"].items() if count)
    pairs = [
        (
            "corpus",
            f"{corpus['source']}{'@' + corpus['revision'][:12] if corpus['revision'] else ''}",
        )
    ]
    pairs.append(("texts", sizes))
    if corpus.get("cut"):
        pairs.append(("cut by seed", " and ".join(corpus["cut"]) + ", stratified; no text on two sides"))
    if corpus.get("left_out"):
        pairs.append(("left out", ", ".join(f"{count:,} {why}" for why, count in corpus["left_out"].items())))
    if corpus.get("scored_split") == "train":
        pairs.append(("scored", "all texts: the corpus has no test split"))
    test = tokens["test"]
    pairs.append(
        ("tokens", f"{tokens['kind']}, {tokens['types']:,} types; of the test texts "
         f"{test['truncated']:.1%} truncated, {test['unknown_rate']:.1%} of tokens unknown")
    )  # fmt: skip
    embedding = report["embedding"]
    covered = (
        f"; {embedding['types_covered']:.1%} of types, {embedding['tokens_covered']:.1%} of tokens have one"
        if embedding["source"] != "random"
        else ""
    )
    pairs.append(
        (
            "embedding",
            f"{embedding['vectors'] or embedding['source']}, {embedding['size']} numbers{covered}",
        )
    )
    direction = "bidirectional " if model["bidirectional"] else ""
    pairs.append(
        ("model", f"{direction}{model['kind'].upper()} {model['hidden_size']} × {model['layers']}, "
         f"{' + '.join(model['pooling'])} pooling, {model['parameters']:,} parameters")
    )  # fmt: skip
    pairs.append(
        ("training", f"{training['epochs']} epochs (kept: {training['best_epoch']}) in "
         f"{training['seconds']:.0f} s, "
         f"{training['tokens_per_second']:,.0f} tokens/s on {training['device']}, seed {training['seed']}")
    )  # fmt: skip
    return pairs


def render(report: dict[str, Any]) -> RenderableType:
    """Return the report for a terminal."""
    parts: list[RenderableType] = [Text(printable(report["verdict"])), ""]
    parts.append(_table(_score_head(report), score_rows(report), bold=1))
    parts.append(_table(CLASS_HEAD, class_rows(report)))
    if len(report["test"]["labels"]) <= MANY_CLASSES:
        parts.append(_table(_confusion_head(report), confusion_rows(report)))
    grid = Table.grid(padding=(0, 2))
    for name, text in facts(report) if "training" in report else ():  # of foreign predictions none is known
        grid.add_row(Text(name, "dim"), Text(printable(text)))
    return Group(*parts, grid)


def card(report: dict[str, Any]) -> str:
    """Return the report as Markdown: the README of a bundle."""
    usage = '    sentiment predict "…" --model DIR\n    sentiment report DIR'
    sections = [
        f"# {report['corpus']['name']} classifier",
        report["verdict"],
        "Test texts were scored once, by the final model. Intervals: 95 %, Wilson's for accuracy, "
        "bootstrap over the texts for the others. Baselines saw the same training texts.",
        _markdown(_score_head(report), score_rows(report)),
        "## Classes",
        _markdown(CLASS_HEAD, class_rows(report)),
        "## Confusion matrix",
        _markdown(_confusion_head(report), confusion_rows(report)),
        "## How it was made",
        "\n".join(f"- {name}: {text}" for name, text in facts(report)),
        "Changed settings: "
        + (", ".join(f"`{name} = {value!r}`" for name, value in report["settings"].items()) or "none")
        + ". All of them are in `config.toml`.",
        "## Use",
        usage,
    ]
    return "\n\n".join(sections) + "\n"


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """Read a JSON object of an unfinished run, which has these keys."""
    try:
        content = json.loads(path.read_text("utf-8"))
        missing = [key for key in keys if key not in content]
    except (OSError, ValueError, TypeError) as error:
        raise BundleError(f"{path}: cannot be read: {error}; remove {path.parent}, start again") from error
    if missing:
        raise BundleError(f"{path}: it lacks {missing[0]!r}; remove {path.parent} and start again")
    return dict(content)


def json_lines(records: Iterable[dict[str, Any]]) -> str:
    """Return one JSON object a line."""
    return "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in records)


CLASS_HEAD = ["class", "precision", "recall", "F1", "texts"]


def _score_head(report: dict[str, Any]) -> list[str]:
    return [
        "",
        "model",
        "95 % interval",
        *(BASELINES[name] for name in report.get("baselines", {})),
    ]


def _confusion_head(report: dict[str, Any]) -> list[str]:
    return ["true \\ predicted", *report["test"]["labels"]]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(head: list[str], rows: list[list[str]], bold: int | None = None) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for index, name in enumerate(head):
        table.add_column(
            Text(printable(name)), justify="right" if index else "left", style="bold" if index == bold else ""
        )
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))  # a label may look like markup
    return table


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    cells = [[printable(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)
