"""What else belongs to the numbers: the corpus and what is odd about it, and how the model was made."""

from collections.abc import Iterator
from typing import Any

from sentiment.core.schema.corpus import Audit
from sentiment.core.schema.report import Report
from sentiment.report.audit import read_as, unit
from sentiment.report.phrases import percent
from sentiment.report.words import INPUTS, of_input

Pair = tuple[str, str]
LONG_WORD = 12.0  # characters of a word and its punctuation, on average, that no language has
SHOWN = 6  # classes of a split in the audit


def facts(report: Report) -> list[Pair]:
    """Return pairs of name and text."""
    pairs: list[Pair] = []
    for part in (_corpus, _tokens, _model, _training):
        pairs += part(report)
    if "created" in report:
        pairs.append(("created", report["created"]))
    if "settings" in report:
        changed = ", ".join(f"{name} = {value!r}" for name, value in report["settings"].items())
        pairs.append(("changed settings", f"{changed or 'none'}; all of them are in config.toml"))
    if "versions" in report:
        pairs.append(("versions", ", ".join(f"{name} {text}" for name, text in report["versions"].items())))
    return pairs


def audit_table(audit: Audit) -> tuple[list[str], list[list[Any]]]:
    """Return the head and the rows of the table of splits: texts, classes, lengths."""
    rows = []
    for role, split in audit["splits"].items():
        total, words = max(1, split["texts"]), split["words"]
        classes = [f"{name} {percent(count / total)}" for name, count in split["labels"].items()]
        more = [f"and {len(classes) - SHOWN} more"] if len(classes) > SHOWN else []
        rows.append(
            [role, f"{split['texts']:,}", ", ".join(classes[:SHOWN] + more),
             *(f"{words[key]:,}" for key in ("median", "95th percentile", "most"))]
        )  # fmt: skip
    return ["split", _texts(audit), "classes", f"median {unit(audit)}s", "95 %", "most"], rows


def long_words(kind: str, length: float) -> str | None:
    """Say what to do if words have so many characters, on average, that they are none."""
    if kind != "word" or length <= LONG_WORD:
        return None
    return (
        f"A token has {length:.0f} characters on average: these texts have no spaces between words, and the "
        "model hardly meets a token twice. Use --set tokenizer.kind=unigram (or char; kmer for sequences "
        "of symbols)."
    )


def _texts(audit: Audit) -> str:
    return INPUTS[audit.get("kind", "text")].texts


def findings(audit: Audit) -> list[str]:
    """Return a sentence for each thing in a corpus that calls for attention."""
    return [*_labels(audit), *_repeats(audit), *_odd(audit)]


def _labels(audit: Audit) -> Iterator[str]:
    for line in audit.get("labels", []):
        yield f"{line[:1].upper()}{line[1:]}."


def _repeats(audit: Audit) -> Iterator[str]:
    for pair in audit.get("repeats", []):
        where = "repeat another one there" if pair["of"] == pair["in"] else f"are also in {pair['in']}"
        alike = f", {pair['normalised']:,} but for case and punctuation" if _texts(audit) == "texts" else ""
        yield f"{pair['of']}: {pair['exact']:,} {_texts(audit)} {where} exactly{alike}."
    if conflicts := audit.get("conflicts", {}).get("count"):
        yield f"{conflicts:,} {_texts(audit)} occur with two labels."
    if near := audit.get("near_duplicates"):
        for part in near["by_splits"]:
            yield (
                f"{part['of']}: {part['count']:,} texts nearly repeat one in {part['in']} "
                f"(similarity ≥ {near['similarity']})."
            )


def _odd(audit: Audit) -> Iterator[str]:
    for role, split in audit.get("splits", {}).items():
        if unusable := split["unusable_rows"]["count"]:
            yield f"{role}: {unusable:,} rows have no usable {_texts(audit)[:-1]} or label."
        for name, odd in split["oddities"].items():
            yield f"{role}: {odd['count']:,} {_texts(audit)} with {name}."


def _corpus(report: Report) -> Iterator[Pair]:
    corpus = report.get("corpus", {})
    if "source" in corpus:
        revision = corpus.get("revision")
        yield "corpus", f"{corpus['source']}{'@' + revision[:12] if revision else ''}"
    if read := read_as(corpus.get("reading")):
        yield "read", "; ".join(read)
    if corpus.get("trained_on"):
        yield "trained on", corpus["trained_on"]
    sizes = ", ".join(f"{count:,} {role}" for role, count in corpus.get("sizes", {}).items() if count)
    if sizes:
        yield of_input(report).texts, sizes
    if corpus.get("cut"):
        yield (
            "cut by seed",
            " and ".join(corpus["cut"]) + f", stratified; no {of_input(report).text} on two sides",
        )
    if corpus.get("left_out"):
        yield (
            "left out",
            ", ".join(
                f"{count:,} {why.replace('texts', of_input(report).texts)}"
                for why, count in corpus["left_out"].items()
            ),
        )
    if (accuracy := corpus.get("accuracy_with_unseen_labels")) is not None:
        yield "accuracy with all", f"{percent(accuracy)}: texts of labels that training lacks count as wrong"
    if corpus.get("scored_split") == "train":
        yield "scored", f"all {of_input(report).texts}: the corpus has no test split"


def _tokens(report: Report) -> Iterator[Pair]:
    tokens, embedding = report.get("tokenizer"), report.get("embedding")
    if tokens and tokens["kind"] == "features":
        yield (
            "features",
            f"{tokens['types']:,} numbers a step, each normalised by its mean and deviation in training; of "
            f"the test sequences {percent(tokens['test']['truncated'])} truncated",
        )
        return
    if tokens:
        test = tokens["test"]
        long = f"{percent(test['truncated'])} truncated"
        if test.get("in_windows"):
            long = f"{percent(test['in_windows'])} read in several windows"
        yield (
            "tokens",
            f"{tokens['kind']}, {tokens['types']:,} types; of the test texts {long}, "
            f"{percent(test['unknown_rate'])} of tokens unknown",
        )
    if embedding and embedding["source"] == "encoder":
        made = embedding["encoder"]
        yield (
            "begun from",
            f"{embedding['vectors']}, pretrained in {made['passes']} pass{'es' * (made['passes'] > 1)} over "
            f"{made['texts']['training'] + made['texts']['unlabelled']:,} texts of {made['corpus']['name']}; "
            f"{sum(made['left_out'].values()):,} that are in test were left out",
        )
    elif embedding:
        covered = (
            f"; {percent(embedding['types_covered'])} of types and "
            f"{percent(embedding['tokens_covered'])} of tokens have one"
            if embedding["source"] != "random"
            else ""
        )
        yield (
            "embedding",
            f"{embedding['vectors'] or embedding['source']}, {embedding['size']} numbers{covered}",
        )


def _model(report: Report) -> Iterator[Pair]:
    if model := report.get("model"):
        direction = "bidirectional " if model["bidirectional"] else ""
        about = report.get("ngrams")
        beside = f"; beside it {about['count']:,} n-grams" if about and about["share"] else ""
        yield (
            "model",
            f"{direction}{model['kind'].upper()} {model['hidden_size']} × {model['layers']}, "
            f"{' + '.join(model['pooling'])} pooling, {model['parameters']:,} parameters{beside}",
        )


def _training(report: Report) -> Iterator[Pair]:
    if training := report.get("training"):
        steps = ", with adversarial steps" if training.get("adversarial") else ""
        yield (
            "training",
            f"{training['epochs']} epochs (kept: {training['best_epoch']}) in {training['seconds']:.0f} s, "
            f"{training['tokens_per_second']:,.0f} {of_input(report).tokens}/s on {training['device']}, "
            f"seed {training['seed']}{steps}",
        )
        if kernel := training.get("kernel"):  # of a CPU
            reason = training.get("kernel_reason")
            yield "kernel", f"{kernel}; {reason}" if reason else kernel
