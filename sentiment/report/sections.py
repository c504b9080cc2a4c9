"""The content of a report, section by section: what terminal, Markdown and HTML share.

Cells are finished strings. A part that a report lacks leaves nothing behind.
"""

from collections.abc import Iterator, Sequence

from sentiment.core.schema.report import Mistake, Report, WrongLabels
from sentiment.data.scripts import long_words
from sentiment.report import phrases
from sentiment.report.audit import in_short, read_as, splits
from sentiment.report.classes import NOTHING, WORST, classes
from sentiment.report.document import Cell, Section, Table, passage
from sentiment.report.phrases import p_value, percent, points
from sentiment.report.scores import decision, scores
from sentiment.report.words import of_input, of_task, part_score


def sections(report: Report, letters: int = 600, most: int = WORST) -> list[Section]:
    """Return what a report says, with `most` mistakes and suspects.

    Their texts are cut to `letters`, around the words of most weight.
    """
    every = (
        scores(report),
        decision(report),
        classes(report),
        slices(report),
        mistakes(report, letters, most),
        suspects(report, letters, most),
        _audit(report),
        Section("made", "How it was made", pairs=facts(report)),
    )
    return [section for section in every if section]


def _audit(report: Report) -> Section:
    audit = report.get("audit")
    if not audit:
        return Section("audit", "The corpus")
    lines = in_short(audit)
    tokens = report.get("tokenizer", {})
    if message := long_words(tokens.get("kind", ""), tokens.get("train", {}).get("characters", 0)):
        lines.insert(0, message)
    if not lines and not audit.get("leakage"):
        lines = ["Nothing in it calls for attention."]
    tables = []
    if audit.get("splits"):
        tables.append(Table(*splits(audit), "Splits", wordy=(0, 2)))
    leaks: list[list[Cell]] = [
        [
            f"{leak.get('kind', '')} {leak['token']}".strip(),
            leak["label"],
            f"{leak['count']:,}",
            percent(leak["share"]),
            f"{leak['lift']:.2f}",
        ]
        for leak in audit.get("leakage", [])[:WORST]
    ]
    if leaks:
        head = ["token", "label", "texts", "with the label", "lift"]
        tables.append(Table(head, leaks, "Tokens that alone predict a label", wordy=(0, 1)))
    return Section("audit", "The corpus", lines, tables)


LABEL = 30  # columns of text for a class beside a text


def slices(report: Report) -> Section:
    """Return the parts of the texts, the worst first."""
    parts = report.get("failures", {}).get("slices", [])
    corrected = all("q" in part for part in parts)
    words, texts = of_task(report), of_input(report).noun
    rows: list[list[Cell]] = [
        [
            f"{part['slice']}: {part['value']}",
            f"{part['count']:,}",
            percent(part_score(report, part), part["interval"]),
            points(part["difference"]),
            p_value(part["q"] if corrected else part["p"]),
        ]
        for part in parts
    ]
    if not rows:
        return Section("slices", "Where it fails")
    name = words.part.format(text=of_input(report).singular)
    sentence = f"Kinds of {texts}, the worst first. Difference: in points of {name}, to all other {texts}."
    if corrected:
        sentence += f" p: {words.part_test}, corrected for the number of kinds."
    head = [f"{texts} with", texts, f"{name}, 95 % interval", "difference", "p"]
    return Section("slices", "Where it fails", [sentence], [Table(head, rows[:WORST], more=rows[WORST:])])


def mistakes(report: Report, letters: int, most: int) -> Section:
    """Return what the model was surest of and wrong about; of several labels, the texts of most loss."""
    words = of_task(report)
    rows: list[list[Cell]] = [
        [
            str(mistake["row"]),
            *_answers(mistake),
            *([passage(mistake["text"], letters, mistake.get("words", []))] if "text" in mistake else []),
        ]
        for mistake in report.get("failures", {}).get("mistakes", [])[:most]
    ]
    if not rows:
        return Section("mistakes", words.mistakes)
    head, notes = ["row", *words.mistake_head, of_input(report).singular], list(words.mistake_note)
    return Section("mistakes", words.mistakes, notes, [Table(head[: len(rows[0])], rows, wordy=(1, 2, 4))])


def suspects(report: Report, letters: int, most: int) -> Section:
    """Return the labels that the model contradicts."""
    rows: list[list[Cell]] = [
        [
            f"{suspect['split']} {suspect['row']}",
            phrases.shorten(suspect["label"], LABEL),
            phrases.shorten(suspect["suggested"], LABEL),
            f"{suspect['quality']:.3f}",
            *([passage(suspect["text"], letters // 2)] if "text" in suspect else []),
        ]
        for suspect in report.get("failures", {}).get("suspects", [])[:most]
    ]
    if not rows:
        return Section("suspects", "Suspected label errors")
    count = report["failures"].get("suspect_count", len(report["failures"]["suspects"]))
    sentence = f"Labels that the model contradicts (confident learning): {count:,}, the most suspect first."
    head = ["row", "label", "suggested", "quality", of_input(report).singular][: len(rows[0])]
    return Section("suspects", "Suspected label errors", [sentence], [Table(head, rows, wordy=(0, 1, 2, 4))])


def _answers(mistake: Mistake | WrongLabels) -> list[Cell]:
    """Return class, answer and probability, or the missed and the added labels, and the loss."""
    worst, probability = mistake["label"], percent(mistake["probability"])
    label = phrases.shorten(worst, LABEL)
    if "loss" not in mistake:
        return [label, phrases.shorten(mistake["predicted"], LABEL), probability]

    def told(names: Sequence[str], but: Sequence[str]) -> str:
        wrong = [name for name in names if name not in but]
        first = [f"{label} ({probability})"] if worst in wrong else []
        others = [name for name in wrong if name != worst]
        more = [phrases.shorten(", ".join(others), LABEL)] if others else []
        return ", ".join(first + more) or NOTHING

    true, given = mistake["labels"], mistake["predicted"]
    return [told(true, given), told(given, true), f"{mistake['loss']:.1f}"]


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
    corpus, reads = report.get("corpus", {}), of_input(report)
    if "source" in corpus:
        revision = corpus.get("revision")
        yield "corpus", f"{corpus['source']}{'@' + revision[:12] if revision else ''}"
    if read := read_as(corpus.get("reading")):
        yield "read", "; ".join(read)
    if corpus.get("trained_on"):
        yield "trained on", corpus["trained_on"]
    sizes = ", ".join(f"{count:,} {role}" for role, count in corpus.get("sizes", {}).items() if count)
    if sizes:
        yield reads.noun, sizes
    if cut := corpus.get("cut"):
        yield "cut by seed", f"{' and '.join(cut)}, stratified; no {reads.singular} on two sides"
    if left := corpus.get("left_out"):
        reasons = (f"{count:,} {why.replace('texts', reads.noun)}" for why, count in left.items())
        yield "left out", ", ".join(reasons)
    if (accuracy := corpus.get("accuracy_with_unseen_labels")) is not None:
        yield "accuracy with all", f"{percent(accuracy)}: texts of labels that training lacks count as wrong"
    if corpus.get("scored_split") == "train":
        yield "scored", f"all {reads.noun}: the corpus has no test split"


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
        about = f"{embedding['vectors'] or embedding['source']}, {embedding['size']} numbers"
        if embedding["source"] != "random":
            types, tokens_covered = percent(embedding["types_covered"]), percent(embedding["tokens_covered"])
            about += f"; {types} of types and {tokens_covered} of tokens have one"
        yield "embedding", about


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
            f"{training['tokens_per_second']:,.0f} {of_input(report).unit}/s on {training['device']}, "
            f"seed {training['seed']}{steps}",
        )
        if kernel := training.get("kernel"):  # of a CPU
            reason = training.get("kernel_reason")
            yield "kernel", f"{kernel}; {reason}" if reason else kernel
