"""The scores of a report: key figures, the table, baselines, teachers; the decision and the calibration."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sentiment.core.schema.report import NGramsFacts, Report
from sentiment.core.schema.scores import CalibrationErrors, DecisionFacts
from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import CALIBRATION, SCORES, short
from sentiment.report import phrases
from sentiment.report.document import Cell, Section, Table
from sentiment.report.phrases import interval, number, p_value, percent, seconds
from sentiment.report.words import main_score, of_input, of_task, score_of

SHARES = ("accuracy", "micro_f1")  # in percent on the first screen


def key_figures(report: Report) -> list[tuple[str, str, str]]:
    """Return the few numbers of the first screen: name, value, and what belongs to it."""
    test, edges, words = report["test"], report["intervals"], of_task(report)
    decision, calibration = report.get("decision"), report.get("calibration")
    figures = []
    for name in words.figures_of_two if len(test["labels"]) == 2 else words.figures:
        score, edge = score_of(test, name), edges.get(name)
        shown = percent(score), percent_range(edge)
        if name not in SHARES:
            span = f"{edge[0]:.3f} – {edge[1]:.3f}".replace("-", "−") if edge else ""
            shown = "–" if score is None else f"{score:.3f}".replace("-", "−"), span
        figures.append((words.titles[name], *shown))
    if decision and decision["rule"] == "threshold":
        names = phrases.operating_names(decision, test["labels"])
        for key in ("recall", "false_positive_rate"):
            value, around = measured(decision["test"].get(key))
            if value is not None:
                figures.append((names[key], percent(value), f"{percent_range(around)}, at the threshold"))
        if (target := decision.get("target")) and decision.get("holds") is not None:
            figures.append((target, "holds" if decision["holds"] else "missed", "on test"))
    if calibration:
        before = calibration.get("before")
        beside = f"{percent(before['ece'])} before temperature" if before else "ECE"
        figures.append(("calibration error", percent(calibration["ece"]), beside))
    if point := phrases.coverage(report):
        share, accuracy = point
        name = f"{words.right} of the surest {phrases.rounded(share)}"
        figures.append((name, percent(accuracy), "the rest to a person"))
    return figures


def percent_range(edges: Sequence[float] | None) -> str:
    """Write the interval of a share alone: 88.8 – 89.5 %."""
    return percent(edges[0]).removesuffix(" %") + " – " + percent(edges[1]) if edges else ""


def score_table(report: Report) -> Table:
    """Return the table of scores: name, model, interval, baselines."""
    rivals = report.get("baselines") or {}
    rows: list[list[Cell]] = [
        [
            title,
            number(score_of(report["test"], key)),
            interval(report["intervals"].get(key)),
            *(number(score_of(rival, key)) for rival in rivals.values()),
        ]
        for key, title in of_task(report).titles.items()
        if key in report["test"]
    ]
    if "training" in report:
        times = (seconds(rival.get("train_seconds")) for rival in rivals.values())
        rows.append(["training", seconds(report["training"]["seconds"]), "", *times])
    if "test" in report.get("timing", {}):
        times = (seconds(rival.get("predict_seconds")) for rival in rivals.values())
        rows.append(["scoring", seconds(report["timing"]["test"]), "", *times])
    head = ["", "model", "95 % interval", *(baselines.title(name) for name in rivals)]
    return Table(head, rows, "All scores", strong=1)


def scores(report: Report) -> Section:
    """Compare with each baseline, and name one that wins; then all scores."""
    rivals, words, texts = report.get("baselines") or {}, of_task(report), of_input(report).noun
    sentences = []
    for key, rival in rivals.items():
        name, (_, _, p) = baselines.title(key), phrases.paired(report, rival)
        if p is not None and p >= phrases.CHANCE:
            sentences.append(f"Against {name} the difference is within chance.")
        elif phrases.lead(report, rival) < 0:
            sentences.append(f"{name} is better than this model.")
    own = "training" in report and "trained_on" not in report.get("corpus", {})
    once = f"Test {texts} were scored once, by the final model. " if own else ""
    sentences.append(
        f"{once}Intervals: 95 %, Wilson's for {words.wilson.format(texts=texts)}, bootstrap over the {texts} "
        "for the others."
    )
    tables = [score_table(report)]
    if "teachers" in report:
        tables.append(_teachers(report))
    if "ngrams" in report and "validation" in report["ngrams"]:
        tables.append(_ngrams(report["ngrams"], words.task.main_score))
    if rivals:
        title = SCORES[words.task.main_score].title
        sentences.append(words.against.format(texts=texts, score=title))
        tables.insert(0, _rivals(report))
    return Section("scores", "Scores and baselines" if rivals else "Scores", sentences, tables)


def _rivals(report: Report) -> Table:
    words, rows = of_task(report), list[list[Cell]]()
    for key, rival in report["baselines"].items():
        difference, around, p = phrases.paired(report, rival)
        own = main_score(report, rival)
        if words.beside:
            last = number(score_of(rival, words.beside))
        else:
            last = f"{rival['comparison']['ours_only']:,} : {rival['comparison']['theirs_only']:,}"
        cells = [
            number(own) if words.least else percent(own), phrases.changes(report, difference, around), last,
        ]  # fmt: skip
        rows.append([baselines.title(key), *cells, p_value(p)])
    head = ["", short(words.task.main_score), "difference", words.alone, "p"]
    return Table(head, rows, "Against baselines")


def _ngrams(about: NGramsFacts, score: str) -> Table:
    """Return what the recurrence and the n-grams beside it reach on validation, alone and together."""
    grams = f"{about['count']:,} n-grams of up to {about['longest']} tokens"
    if about.get("gap"):
        grams += f", pairs with up to {about['gap']} between"
    if about.get("ending"):
        grams += f", those of the last {about['ending']} apart too"
    parts = (
        ("recurrence", about["validation"]["recurrent"]),
        (grams, about["validation"]["ngrams"]),
        (f"both, {percent(about['share'])} n-grams", about["validation"]["both"]),
    )
    rows: list[list[Cell]] = [
        [name, *(number(score_of(scores, key)) for key in (score, "log_loss", "roc_auc"))]
        for name, scores in parts
    ]
    return Table(
        ["", f"validation: {SCORES[score].title}", "log loss", "ROC-AUC"], rows, "Recurrence and n-grams"
    )


def _teachers(report: Report) -> Table:
    """Return what the teachers reach, their means, and the model that learned from the last of these."""
    generations, score = report["teachers"]["generations"], of_task(report).task.main_score
    rows: list[list[Cell]] = []

    def add(name: str, *parts: Mapping[str, Any]) -> None:
        rows.append([name, *(number(score_of(part, key)) for part in parts for key in (score, "log_loss"))])

    for generation, taught in enumerate(generations, 1):
        name = f"teacher {generation}." if len(generations) > 1 else "teacher "
        each = zip(taught["each"], taught["test"]["each"], strict=True)
        for place, both in enumerate(each, 1):
            add(f"{name}{place}", *both)
        if len(taught["each"]) > 1:
            add("mean of them", taught["mean"], taught["test"]["mean"])
        if "ngrams" in taught:
            add("n-grams", taught["ngrams"], {})
            add(f"all, {percent(taught['ngrams']['share'])} n-grams", taught["all"], {})
    validation = report["training"]["validation"]
    if "validation" in report.get("ngrams", {}):
        validation = report["ngrams"]["validation"]["both"]
    add("the model, which learned from it", validation, report["test"])
    head = ["", f"validation: {SCORES[score].title}", "log loss", f"test: {SCORES[score].title}", "log loss"]
    return Table(head, rows, "Teachers")


def measured(value: Any) -> tuple[float | None, Sequence[float] | None]:
    """Return a number and its interval; of validation there is only the number."""
    return (value["value"], value.get("interval")) if isinstance(value, dict) else (value, None)


BRIER = {
    "score": SCORES["brier"].title,
    "reliability": "- reliability, less is better",
    "resolution": "- resolution, more is better",
    "uncertainty": "- uncertainty of the classes",
}


def decision(report: Report) -> Section:
    sentences, tables, texts = [], [], of_input(report).noun
    decision, calibration = report.get("decision"), report.get("calibration")
    labels = report["test"]["labels"]
    if decision:
        sentences += list(_rule(decision, report))
    sentence = phrases.coverage_sentence(report)
    if sentence:
        sentences.append(sentence)
    if decision:
        rows: list[list[Cell]] = []
        chosen_on: Mapping[str, Any] = decision.get("validation") or {}
        for key, name in phrases.operating_names(decision, labels).items():
            value, around = measured(decision["test"].get(key))
            if value is not None and (key != "coverage" or decision.get("unsure")):
                chosen, _ = measured(chosen_on.get(key))
                rows.append([name, percent(chosen), percent(value, around)])
        title = f"At the operating point{', which was chosen on validation' if chosen_on else ''}"
        title += f"; rates are those of the decided {texts}" if decision.get("unsure") else ""
        tables.append(Table(["", "validation", "test, 95 % interval"], rows, title))
    if calibration:
        states: list[CalibrationErrors] = (
            [calibration, calibration["before"]] if "before" in calibration else [calibration]
        )
        rows = [
            [error.title, *(percent(score_of(state, key)) for state in states)]
            for key, error in CALIBRATION.items()
        ]
        rows += [
            [name, *(number(score_of(state["brier"], key)) for state in states)]
            for key, name in BRIER.items()
        ]
        head = ["", "model", "before temperature"][: 1 + len(states)]
        what = of_task(report).forecasts.format(texts=texts)
        title = f"Calibration: are 80 of 100 {what} {of_task(report).outcome} that are given 80 %?"
        tables.append(Table(head, rows, title))
    return Section("decision", "Calibration and decision", sentences, tables)


def _rule(decision: DecisionFacts, report: Report) -> Iterator[str]:
    """Say how a class is chosen, and whether the target holds."""
    text, probabilities = of_input(report).singular, "Probabilities"
    if decision["rule"] == "median":
        probabilities = "They"
        chosen = (
            "The median grade is chosen: from the lowest on, the first with which the probabilities reach a "
            "half."
        )
    elif decision["rule"] == "threshold":
        chosen = (
            f"A {text} is {decision['positive']} from a probability of {decision['threshold']:.4f} on; "
            "else it is not."
        )
    elif decision.get("thresholds"):
        chosen = (
            f"A {text} is given each label from the label's own threshold on, chosen on validation for its "
            "best F1; they are in the table of labels."
        )
    else:
        chosen = "The most probable class is chosen."
    yield f"{chosen} {probabilities} are at temperature {decision['temperature']:.3f}."
    if decision.get("target") and decision.get("holds") is not None:
        outcome = "holds on test" if decision["holds"] else "does NOT hold on test"
        yield f"The target that was asked for, {decision['target']}, {outcome}."
    elif decision.get("target") == "cost":
        yield "The threshold follows from the costs of the two mistakes."
    if unsure := decision.get("unsure"):
        if decision.get("thresholds"):
            where = "The answer is “unsure” where a label is too near its threshold"
        else:
            above = f"Between {unsure['low']:.4f} and" if unsure["low"] else "Below"
            where = f"{above} {unsure['high']:.4f} the answer is “unsure”"
        share = percent(unsure["share"])
        yield f"{where}, meant for the least sure {share} of the {of_input(report).noun}."
