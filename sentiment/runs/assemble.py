"""The report of a finished run."""

from typing import Any, cast

import numpy as np

from sentiment.core import config_io, files
from sentiment.core.schema.report import SCHEMA, Report
from sentiment.core.schema.runs import Manifest
from sentiment.data.corpus.checks import UNSEEN
from sentiment.data.sequences import Encoded
from sentiment.evaluation.evaluate import token_statistics, without_texts
from sentiment.inference import bundle
from sentiment.models import recurrent, runtime
from sentiment.models.network import count_parameters
from sentiment.report import html, renderers
from sentiment.report.phrases import verdict
from sentiment.runs.folder import Run
from sentiment.runs.prepare import Prepared
from sentiment.training.trainer import Trainer


def assemble(
    run: Run,
    ready: Prepared,
    trainer: Trainer,
    manifest: Manifest,
    scored: dict[str, Any],
    test: Encoded,
) -> Report:
    """Return the report of a finished run; `test` are the encoded test texts."""
    settings, corpus, history = run.settings, ready.corpus, trainer.history
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
        "tokenizer": {
            "kind": ready.tokenizer.kind,
            "types": len(ready.tokenizer),
            "train": token_statistics(ready.train, corpus.train.texts),
            "test": token_statistics(test, corpus.test.texts),
        },
        "embedding": ready.embeddings,
        "model": {"parameters": count_parameters(trainer.model), **model},
        "training": {
            "seconds": seconds,
            "tokens_per_second": sum(record["tokens"] for record in history) / max(seconds, 1e-9),
            "device": runtime.describe(run.device),
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
        "timing": run.timing,
        **scored,
        "settings": dict(config_io.changed(settings)),
        "versions": bundle.versions(),
    }
    report = cast(Report, {"verdict": verdict(cast(Report, result)), **result})
    if corpus.reading is not None:
        report["corpus"]["reading"] = corpus.reading.as_dict()
    unseen = corpus.left_out.get(UNSEEN.format("test"), 0)
    if unseen:  # they are wrong, whatever the model says of them
        share = len(corpus.test) / (len(corpus.test) + unseen)
        report["corpus"]["accuracy_with_unseen_labels"] = report["test"]["accuracy"] * share
    return report if settings.report.texts else without_texts(report)


def write(run: Run, report: Report) -> None:
    """Write the report, its card and its page into the folder.

    If the page fails, the trained model is not lost with it.
    """
    files.write_json(run.working / "report.json", report)
    files.write_text(run.working / bundle.CARD, renderers.card(report))
    try:
        html.write(report, run.working / html.NAME)
    except Exception as error:
        (run.working / html.NAME).unlink(missing_ok=True)
        run.listener.stage(
            f"the page of the report could not be made ({type(error).__name__}: {error}); the model is whole"
        )
