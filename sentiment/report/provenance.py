"""What else belongs to the numbers: the corpus, and how the model was made."""

from collections.abc import Iterator

from sentiment.core.schema.report import Report
from sentiment.report.audit import read_as
from sentiment.report.phrases import percent
from sentiment.report.words import of_input

Pair = tuple[str, str]


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
