"""`sentiment report`: score a bundle again, or predictions in a file."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from sentiment.core.config import Config
from sentiment.core.errors import CorpusError, UsageError
from sentiment.core.schema.report import SCHEMA, Report
from sentiment.core.sections.data import CorpusConfig
from sentiment.core.sections.run import ReportConfig
from sentiment.core.strings import Say, warn
from sentiment.data.corpus import divide, load_for_scoring, read_corpus
from sentiment.data.corpus.memory import MEMORY
from sentiment.evaluation import evaluate as evaluation
from sentiment.evaluation import predictions
from sentiment.evaluation.error_analysis import error_analysis
from sentiment.evaluation.evaluate import Scored
from sentiment.inference import bundle
from sentiment.inference.explain import explain
from sentiment.inference.predictor import Predictor
from sentiment.metrics.decision import Decision
from sentiment.models import runtime
from sentiment.report import phrases
from sentiment.runs.folder import now, pinned

KEPT = (  # settings of a corpus, for another one too
    "invalid_rows", "audio", "audio_bands", "audio_rate", "labels", "label_separator", "label_spelling",
)  # fmt: skip


def evaluate(
    folder: Path,
    corpus_name: str | None = None,
    device: str = "auto",
    texts: bool | None = None,
    columns: dict[str, Any] | None = None,
    say: Say = warn,
) -> Report:
    """Score a bundle again, on its own test texts or on another corpus.

    Parameters
    ----------
    texts
        Whether texts are quoted; by default as the bundle's settings say, and always of another corpus.
    columns
        Settings of the section ``corpus`` by which another corpus is read; the columns of training come
        first.
    say
        Told what was guessed of a corpus, or left out; a warning of Python's logging by default.

    Returns
    -------
    dict
        A report; on the bundle's own corpus with the baselines and the training of the stored one.
    """
    loaded = bundle.load(folder)
    settings = loaded.config.model_copy(deep=True)
    settings.runtime.device = device  # type: ignore[assignment]  # that of training may not be here
    with runtime.prepared(settings.runtime, settings.seed) as torch_device:
        result = _evaluate(Predictor(loaded, torch_device), settings, corpus_name, columns, say)
    if texts is None:
        texts = settings.report.texts or corpus_name is not None
    return result if texts else evaluation.without_texts(result)


def evaluate_predictions(
    path: Path, positive: str | None = None, settings: ReportConfig | None = None
) -> Report:
    """Report on somebody's predictions in a file, as `sentiment.evaluation.predictions.read` takes them.

    No model is needed; the parts that are about one are not there.
    """
    read = predictions.read(path, positive)
    result: Any = {
        "schema": SCHEMA,
        "created": now(),
        "corpus": {
            "name": path.name,
            "source": str(path),
            "revision": None,
            "sizes": {"test": len(read.labels)},
            "labels": list(read.names),
        },
        **evaluation.evaluate(
            Scored([], read.labels, read.probabilities, Decision.plain(read.names, read.task)),
            settings or ReportConfig(),
        ),
    }
    return cast(Report, {"verdict": phrases.verdict(result), **result})


def _evaluate(
    predictor: Predictor,
    settings: Config,
    corpus_name: str | None,
    columns: dict[str, Any] | None,
    say: Say,
) -> Report:
    loaded = predictor.bundle
    result: Any = dict(loaded.report)
    if corpus_name is None:
        revision = loaded.manifest["corpus"]["revision"]
        if settings.corpus.name == MEMORY:
            raise UsageError(
                f"{loaded.folder}: trained on texts from memory, which are not stored; to score on a corpus, "
                "give --corpus"
            )
        raw = read_corpus(pinned(settings, revision).corpus, loaded.reading, say)
        corpus = divide(raw, settings.corpus, settings.seed, say)
        if corpus.fingerprint() != loaded.manifest["corpus"]["fingerprint"]:
            raise CorpusError(
                f"{settings.corpus.name}: the corpus is not the one that this model was trained on; "
                "to score on another, give --corpus"
            )
        test, validation = corpus.test, corpus.validation
    else:
        about, test = load_for_scoring(
            CorpusConfig(
                name=corpus_name,
                task=loaded.task,  # type: ignore[arg-type]  # checked now
                **{name: getattr(settings.corpus, name) for name in KEPT} | (columns or {}),
            ),
            loaded.labels,
            loaded.input,
            loaded.reading,
            say,
        )
        for part in ("baselines", "teachers", "audit", "timing"):  # they are about the model's own corpus
            result.pop(part, None)
        result["corpus"] = about | {
            "trained_on": loaded.manifest["corpus"].get("source", settings.corpus.name)
        }
        validation = None
    logits, encoded = predictor.logits(test.texts)
    scored = Scored(
        test.texts, test.labels, loaded.decision.probabilities(logits), loaded.decision, loaded.input
    )
    held_out = None
    if validation is not None:
        shares, _ = predictor.probabilities(validation.texts)
        held_out = replace(scored, texts=validation.texts, labels=validation.labels, probabilities=shares)
    result |= evaluation.evaluate(scored, settings.report, encoded.lengths, logits)
    result["failures"] = error_analysis(
        scored, encoded, explain=partial(explain, predictor), validation=held_out
    )
    result["schema"] = SCHEMA  # of an older bundle, the rest of the report is older
    result["tokenizer"] = result["tokenizer"] | {"test": evaluation.token_statistics(encoded, test.texts)}
    result["verdict"] = phrases.verdict(result)
    return cast(Report, result)
