"""One report dictionary → JSON, Markdown card, terminal tables, HTML with plots. Nothing is retyped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sentiment import multilabel
from sentiment.bundle import versions
from sentiment.calibration import calibration
from sentiment.curves import curves
from sentiment.decision import Decision, describe
from sentiment.errors import BundleError
from sentiment.link import MULTILABEL
from sentiment.metrics import intervals, scores
from sentiment.report.quotes import without_texts
from sentiment.report.text import card, render
from sentiment.report.wording import verdict

if TYPE_CHECKING:
    from sentiment.config import Config, ReportConfig
    from sentiment.corpus import Corpus
    from sentiment.features import Features
    from sentiment.sequences import Encoded
    from sentiment.tokenizer import Tokenizer
    from sentiment.training import Trainer

__all__ = [
    "assemble",
    "card",
    "evaluation",
    "json_lines",
    "read_json",
    "render",
    "token_statistics",
    "verdict",
    "without_texts",
]

SCHEMA = 2


def evaluation(
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    names: Sequence[str],
    config: ReportConfig,
    decision: Decision | None = None,
    lengths: NDArray[np.int64] | None = None,
    task: str = "multiclass",
) -> dict[str, Any]:
    """Return the parts of a report that follow from labels (B,) and tempered probabilities (B, C).

    Of the task "multilabel", both are (B, L), and the labels given are those of the decision, or those of
    a probability of 0.5 on.
    They are ``test``, ``intervals``, ``calibration`` and ``curves``; with a decision also ``decision``,
    and the calibration before its temperature; with the lengths (B,) of the texts the curve of them.
    """
    thresholds = None
    if task == MULTILABEL:
        thresholds = decision.thresholds if decision is not None else None
        edges = multilabel.intervals(labels, probabilities, thresholds, config.bootstrap)
    else:
        edges = intervals(labels, probabilities, config.bootstrap, task=task)
    parts: dict[str, Any] = {
        "task": task,
        "test": scores(labels, probabilities, names, thresholds, task),
        "intervals": edges,
        "calibration": calibration(labels, probabilities, task),
        "curves": curves(labels, probabilities, names, lengths, thresholds, task),
    }
    if decision is not None:
        parts["decision"] = describe(decision, labels, probabilities)
        before = replace(decision, temperature=1 / decision.temperature).temper(probabilities)
        parts["calibration"]["before"] = calibration(labels, before, task)
    return parts


def token_statistics(encoded: Encoded, texts: Sequence[str]) -> dict[str, float]:
    """Say how a split looks to the model; ``characters`` are those of a token, on average."""
    lengths = encoded.sequences.lengths
    return {
        "characters": sum(map(len, texts)) / max(1, int(encoded.lengths.sum())),
        "tokens": int(lengths.sum()),
        "median_length": float(np.median(lengths)),
        "truncated": float(encoded.truncated.mean()),
        "in_windows": float((encoded.sequences.counts > 1).mean()),
        "unknown_rate": float(encoded.unknown_rate.mean()),
    }


def assemble(
    settings: Config,
    corpus: Corpus,
    manifest: dict[str, Any],
    trainer: Trainer,
    device: str,
    tokenizer: Tokenizer | Features,
    embeddings: dict[str, Any],
    scored: dict[str, Any],
    timing: dict[str, float],
    tokens: dict[str, dict[str, float]],
) -> dict[str, Any]:
    """Return the report of a finished run."""
    from sentiment import config, recurrent
    from sentiment.model import count_parameters

    history = trainer.history
    best = [record for record in history if record["best"]][-1]
    seconds = sum(record["seconds"] for record in history)
    model = settings.model.model_dump()
    kind = "features" if corpus.width is not None else settings.tokenizer.kind
    kernel = {}
    if trainer.device.type == "cpu":
        kernel = {"kernel": recurrent.kernel()}
        if kernel["kernel"] == "torch":
            kernel["kernel_reason"] = str(recurrent.kernel_reason())
    result = {
        "schema": SCHEMA,
        "created": manifest["created"],
        "task": manifest["task"],
        "corpus": {
            **manifest["corpus"],
            "sizes": corpus.sizes,
            "labels": list(corpus.labels),
            "cut": list(corpus.cut),
            "left_out": corpus.left_out,
            "scored_split": "test",
        },
        "tokenizer": {"kind": kind, "types": len(tokenizer), **tokens},
        "embedding": {key: value for key, value in embeddings.items() if key != "matrix"},
        "model": {"parameters": count_parameters(trainer.model), **model},
        "training": {
            "seconds": seconds,
            "tokens_per_second": sum(record["tokens"] for record in history) / max(seconds, 1e-9),
            "device": device,
            **kernel,
            "epochs": len(history),
            "best_epoch": best["epoch"],
            "metric": trainer.config.metric,
            "updates": trainer.updates,
            "adversarial": trainer.config.adversarial,
            "padding": float(np.mean([record["padding"] for record in history])),
            "validation": best["validation"],
            "seed": settings.seed,
        },
        "history": list(history),
        "timing": timing,
        **scored,
        "settings": dict(config.changed(settings)),
        "versions": versions(),
    }
    return {"verdict": verdict(result), **result}


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
