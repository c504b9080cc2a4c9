"""The content of a report, section by section: what terminal, Markdown and HTML share.

Cells are finished strings. A part that a report lacks leaves nothing behind.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from sentiment.report import wording
from sentiment.report.classes import WORST, classes
from sentiment.report.content import Cell, Section, Table
from sentiment.report.facts import audit_table, facts, findings, long_words
from sentiment.report.wording import BASELINES, interval, number, p_value, percent, points, seconds
from sentiment.report.wrong import mistakes, slices, suspects

SCORES = {  # in their order; a report has those of its task
    "mae": "MAE, in grades",
    "quadratic_kappa": "quadratic kappa",
    "within_one": "within one grade",
    "spearman": "Spearman",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "samples_f1": "F1 of a text, mean",
    "jaccard": "Jaccard index of a text, mean",
    "hamming_loss": "Hamming loss",
    "mcc": "MCC",
    "lrap": "label ranking average precision",
    "coverage_error": "coverage error",
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
}
ERRORS = {"ece": "expected calibration error", "adaptive_ece": "adaptive calibration error"}
BRIER = {
    "score": "Brier score",
    "reliability": "- reliability, less is better",
    "resolution": "- resolution, more is better",
    "uncertainty": "- uncertainty of the classes",
}


def sections(report: dict[str, Any], letters: int = 600, most: int = WORST) -> list[Section]:
    """Return what a report says, with `most` mistakes and suspects.

    Their texts are cut to `letters`, around the words of most weight.
    """
    every = (
        _scores(report),
        _decision(report),
        classes(report),
        slices(report),
        mistakes(report, letters, most),
        suspects(report, letters, most),
        _audit(report),
        Section("made", "How it was made", pairs=facts(report)),
    )
    return [section for section in every if section]


def key_figures(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the few numbers of the first screen: name, value, and what belongs to it."""
    test, edges, decision = report["test"], report["intervals"], report.get("decision", {})
    score = wording.main_score(report)
    second = "mcc" if len(test["labels"]) == 2 and not wording.several(report) else "macro_f1"
    figures = []
    if wording.ordinal(report):
        figures.append((SCORES["mae"], f"{test['mae']:.3f}", _range(edges.get("mae"))))
        score, second = "accuracy", "quadratic_kappa"
    figures.append((SCORES[score], percent(test[score]), percent_range(edges.get(score))))
    figures.append((SCORES[second], f"{test[second]:.3f}".replace("-", "−"), _range(edges.get(second))))
    if wording.several(report):
        figures.append(
            ("all labels of a text right", percent(test["accuracy"]), percent_range(edges.get("accuracy")))
        )
    if decision.get("rule") == "threshold":
        names = wording.operating_names(decision, test["labels"])
        for key in ("recall", "false_positive_rate"):
            value, around = _measured(decision["test"].get(key))
            if value is not None:
                figures.append((names[key], percent(value), f"{percent_range(around)}, at the threshold"))
        if decision.get("target") and decision.get("holds") is not None:
            figures.append((decision["target"], "holds" if decision["holds"] else "missed", "on test"))
    if "calibration" in report:
        calibration = report["calibration"]
        before = calibration.get("before")
        figures.append(
            ("calibration error", percent(calibration["ece"]),
             f"{percent(before['ece'])} before temperature" if before else "ECE")
        )  # fmt: skip
    kept = wording.coverage(report)
    if kept:
        figures.append(
            (
                f"{wording.correct(report)} of the surest {wording.rounded(kept[0])}",
                percent(kept[1]),
                "the rest to a person",
            )
        )
    return figures


def percent_range(edges: Sequence[float] | None) -> str:
    """Write the interval of a share alone: 88.8 – 89.5 %."""
    return percent(edges[0]).removesuffix(" %") + " – " + percent(edges[1]) if edges else ""


def score_table(report: dict[str, Any]) -> Table:
    """Return the table of scores: name, model, interval, baselines."""
    rivals = report.get("baselines") or {}
    names = SCORES | ({"accuracy": "all labels of a text right"} if wording.several(report) else {})
    rows: list[list[Cell]] = [
        [
            name,
            number(report["test"][key]),
            interval(report["intervals"].get(key)),
            *(number(rival.get(key)) for rival in rivals.values()),
        ]
        for key, name in names.items()
        if key in report["test"]
    ]
    times = (
        ("training", report.get("training", {}).get("seconds"), "train_seconds"),
        ("scoring", report.get("timing", {}).get("test"), "predict_seconds"),
    )
    for name, ours, key in times:
        if ours is not None:
            rows.append([name, seconds(ours), "", *(seconds(rival.get(key)) for rival in rivals.values())])
    head = ["", "model", "95 % interval", *(BASELINES.get(name, name) for name in rivals)]
    return Table(head, rows, "All scores", strong=1)


def _scores(report: dict[str, Any]) -> Section:
    """Compare with each baseline, and name one that wins; then all scores."""
    rivals, score = report.get("baselines") or {}, wording.main_score(report)
    rows: list[list[Cell]] = []
    sentences = []
    for key, rival in rivals.items():
        name, paired = BASELINES.get(key, key), rival.get("comparison", {})
        lead, p = paired.get("difference"), paired.get("p")
        right = f"{paired['ours_only']:,} : {paired['theirs_only']:,}" if "ours_only" in paired else "–"
        cells = [percent(rival[score]), points(lead, paired.get("interval")), right]
        if wording.ordinal(report):
            paired = paired.get("mae", {})
            lead, p = rival["mae"] - report["test"]["mae"], paired.get("p")
            apart = wording.grades(paired.get("difference"), paired.get("interval"))
            cells = [number(rival["mae"]), apart, number(rival["quadratic_kappa"])]
        rows.append([name, *cells, p_value(p)])
        if p is not None and p >= wording.CHANCE:
            sentences.append(f"Against {name} the difference is within chance.")
        elif lead is not None and lead < 0:
            sentences.append(f"{name} is better than this model.")
    own = "training" in report and "trained_on" not in report.get("corpus", {})
    texts = wording.texts(report)
    once = f"Test {texts} were scored once, by the final model. " if own else ""
    accuracy = f"{texts} with all labels right" if wording.several(report) else "accuracy"
    sentences.append(
        f"{once}Intervals: 95 %, Wilson's for {accuracy}, bootstrap over the {texts} for the others."
    )
    tables = [score_table(report)]
    if "teachers" in report:
        tables.append(_teachers(report))
    if "validation" in report.get("ngrams", {}):
        tables.append(_ngrams(report["ngrams"], score))
    if rivals and wording.ordinal(report):
        sentences.append(
            f"Baselines saw the same training {texts}, and are decided by their medians too. Difference: the "
            "model's mean absolute error less theirs, in grades (below 0 the model is better), with the 95 % "
            "interval of a paired bootstrap; p: exact permutation test of the paired errors."
        )
        head = ["", "MAE", "difference", "quadratic kappa", "p"]
        tables.insert(0, Table(head, rows, "Against baselines"))
    elif rivals:
        tested = "of approximate randomisation" if wording.several(report) else "McNemar's exact test on them"
        sentences.append(
            f"Baselines saw the same training {texts}. Difference: the model's {SCORES[score]} less theirs, "
            f"in points, with the 95 % interval of a paired bootstrap. Alone right: {texts} that only the "
            f"model : only the baseline gets {'wholly ' * wording.several(report)}right; p: {tested}."
        )
        head = ["", SCORES[score], "difference", "alone right", "p"]
        tables.insert(0, Table(head, rows, "Against baselines"))
    return Section("scores", "Scores and baselines" if rivals else "Scores", sentences, tables)


def _ngrams(about: dict[str, Any], score: str) -> Table:
    """Return what the recurrence and the n-grams beside it reach on validation, alone and together."""
    grams = f"{about['count']:,} n-grams of up to {about['longest']} tokens"
    if about.get("gap"):
        grams += f", pairs with up to {about['gap']} between"
    if about.get("ending"):
        grams += f", those of the last {about['ending']} apart too"
    names = {"recurrent": "recurrence", "ngrams": grams, "both": f"both, {percent(about['share'])} n-grams"}
    rows: list[list[Cell]] = [
        [names[part], *(number(scores.get(key)) for key in (score, "log_loss", "roc_auc"))]
        for part, scores in about["validation"].items()
    ]
    return Table(["", f"validation: {SCORES[score]}", "log loss", "ROC-AUC"], rows, "Recurrence and n-grams")


def _teachers(report: dict[str, Any]) -> Table:
    """Return what the teachers reach, their means, and the model that learned from the last of these."""
    taught, score = report["teachers"], wording.main_score(report)
    generations = taught.get("generations", [taught])  # a report of before there were several has one
    found = []
    for generation, its in enumerate(generations, 1):
        name = f"teacher {generation}." if len(generations) > 1 else "teacher "
        each = zip(its["each"], its["test"]["each"], strict=True)
        found += [(f"{name}{number}", *both) for number, both in enumerate(each, 1)]
        if len(its["each"]) > 1:
            found.append(("mean of them", its["mean"], its["test"]["mean"]))
        if "ngrams" in its:
            found.append(("n-grams", its["ngrams"], {}))
            found.append((f"all, {percent(its['ngrams']['share'])} n-grams", its["all"], {}))
    beside = report.get("ngrams", {}).get("validation", {})
    validation = beside.get("both", report["training"]["validation"])
    found.append(("the model, which learned from it", validation, report["test"]))
    rows: list[list[Cell]] = [
        [name, *(number(part.get(key)) for part in parts for key in (score, "log_loss"))]
        for name, *parts in found
    ]
    head = ["", f"validation: {SCORES[score]}", "log loss", f"test: {SCORES[score]}", "log loss"]
    return Table(head, rows, "Teachers")


def _decision(report: dict[str, Any]) -> Section:
    sentences, tables = [], []
    decision, calibration = report.get("decision"), report.get("calibration")
    labels = report["test"]["labels"]
    if decision:
        sentences += list(_rule(decision, report))
    sentence = wording.coverage_sentence(report)
    if sentence:
        sentences.append(sentence)
    if decision:
        rows: list[list[Cell]] = []
        chosen_on = decision.get("validation") or {}  # a bundle of schema 1 has no decision of its own
        for key, name in wording.operating_names(decision, labels).items():
            value, around = _measured(decision["test"].get(key))
            if value is not None and (key != "coverage" or decision.get("unsure")):
                chosen, _ = _measured(chosen_on.get(key))
                rows.append([name, percent(chosen), percent(value, around)])
        title = f"At the operating point{', which was chosen on validation' if chosen_on else ''}"
        title += f"; rates are those of the decided {wording.texts(report)}" if decision.get("unsure") else ""
        tables.append(Table(["", "validation", "test, 95 % interval"], rows, title))
    if calibration:
        states = [calibration, calibration["before"]] if "before" in calibration else [calibration]
        rows = [[name, *(percent(state[key]) for state in states)] for key, name in ERRORS.items()]
        rows += [[name, *(number(state["brier"][key]) for state in states)] for key, name in BRIER.items()]
        head = ["", "model", "before temperature"][: 1 + len(states)]
        what = "labels true" if wording.several(report) else f"{wording.texts(report)} right"
        title = f"Calibration: are 80 of 100 {what} that are given 80 %?"
        tables.append(Table(head, rows, title))
    return Section("decision", "Calibration and decision", sentences, tables)


def _rule(decision: dict[str, Any], report: dict[str, Any]) -> Iterator[str]:
    """Say how a class is chosen, and whether the target holds."""
    if decision["rule"] == "median":
        yield (
            "The median grade is chosen: from the lowest on, the first with which the probabilities reach a "
            f"half. They are at temperature {decision['temperature']:.3f}."
        )
    elif decision["rule"] == "threshold":
        yield (
            f"A {wording.text(report)} is {decision['positive']} from a probability of "
            f"{decision['threshold']:.4f} on; else it is not. "
            f"Probabilities are at temperature {decision['temperature']:.3f}."
        )
    elif decision.get("thresholds"):
        yield (
            f"A {wording.text(report)} is given each label from the label's own threshold on, chosen on "
            "validation for its best F1; they are in the table of labels. "
            f"Probabilities are at temperature {decision['temperature']:.3f}."
        )
    else:
        yield (
            "The most probable class is chosen. "
            f"Probabilities are at temperature {decision['temperature']:.3f}."
        )
    if decision.get("target") and decision.get("holds") is not None:
        outcome = "holds on test" if decision["holds"] else "does NOT hold on test"
        yield f"The target that was asked for, {decision['target']}, {outcome}."
    elif decision.get("target") == "cost":
        yield "The threshold follows from the costs of the two mistakes."
    if unsure := decision.get("unsure"):
        if decision.get("thresholds"):
            yield (
                "The answer is “unsure” where a label is too near its threshold, "
                f"meant for the least sure {percent(unsure['share'])} of the {wording.texts(report)}."
            )
            return
        between = f"Between {unsure['low']:.4f} and" if unsure["low"] else "Below"
        yield (
            f"{between} {unsure['high']:.4f} the answer is “unsure”, "
            f"meant for the least sure {percent(unsure['share'])} of the {wording.texts(report)}."
        )


def _audit(report: dict[str, Any]) -> Section:
    audit = report.get("audit")
    if not audit:
        return Section("audit", "The corpus")
    lines = findings(audit)
    tokens = report.get("tokenizer", {})
    if message := long_words(tokens.get("kind", ""), tokens.get("train", {}).get("characters", 0)):
        lines.insert(0, message)
    if not lines and not audit.get("leakage"):
        lines = ["Nothing in it calls for attention."]
    tables = []
    if audit.get("splits"):
        tables.append(Table(*audit_table(audit), "Splits", wordy=(0, 2)))
    leaks: list[list[Cell]] = [
        [
            f"{one.get('kind', '')} {one['token']}".strip(),
            one["label"],
            f"{one['count']:,}",
            percent(one["share"]),
            f"{one['lift']:.2f}",
        ]
        for one in audit.get("leakage", [])[:WORST]
    ]
    if leaks:
        head = ["token", "label", "texts", "with the label", "lift"]
        tables.append(Table(head, leaks, "Tokens that alone predict a label", wordy=(0, 1)))
    return Section("audit", "The corpus", lines, tables)


def _measured(value: Any) -> tuple[float | None, Sequence[float] | None]:
    """Return a number and its interval; of validation there is only the number."""
    return (value["value"], value.get("interval")) if isinstance(value, dict) else (value, None)


def _range(edges: Sequence[float] | None) -> str:
    return f"{edges[0]:.3f} – {edges[1]:.3f}".replace("-", "−") if edges else ""
