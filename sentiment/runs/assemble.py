"""The report of a finished run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sentiment.core.schema.report import SCHEMA, Report
from sentiment.inference.bundle import versions
from sentiment.report.phrases import verdict

if TYPE_CHECKING:
    from sentiment.core.config import Config
    from sentiment.data.corpus import Corpus
    from sentiment.data.features import Features
    from sentiment.data.tokenizer import Tokenizer
    from sentiment.training.trainer import Trainer


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
) -> Report:
    """Return the report of a finished run."""
    from sentiment.core import config_io
    from sentiment.models import recurrent
    from sentiment.models.network import count_parameters

    history = trainer.history
    best = [record for record in history if record["best"]][-1]
    seconds = sum(record["seconds"] for record in history)
    model = settings.model.model_dump()
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
        "tokenizer": {"kind": tokenizer.kind, "types": len(tokenizer), **tokens},
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
        "settings": dict(config_io.changed(settings)),
        "versions": versions(),
    }
    report = cast(Report, result)
    return cast(Report, {"verdict": verdict(report), **report})
