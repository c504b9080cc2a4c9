"""The scores of a report: key figures, the table, baselines, teachers."""

from collections.abc import Sequence
from typing import Any

from sentiment.evaluation import baselines
from sentiment.metrics.catalogue import ALL_RIGHT, SCORES
from sentiment.report import phrases
from sentiment.report.document import Cell, Section, Table
from sentiment.report.phrases import interval, number, p_value, percent, points, seconds


def key_figures(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the few numbers of the first screen: name, value, and what belongs to it."""
    test, edges, decision = report["test"], report["intervals"], report.get("decision", {})
    score = phrases.main_score(report)
    second = "mcc" if len(test["labels"]) == 2 and not phrases.several(report) else "macro_f1"
    figures = []
    if phrases.ordinal(report):
        figures.append((SCORES["mae"].title, f"{test['mae']:.3f}", score_range(edges.get("mae"))))
        score, second = "accuracy", "quadratic_kappa"
    figures.append((SCORES[score].title, percent(test[score]), percent_range(edges.get(score))))
    figures.append(
        (SCORES[second].title, f"{test[second]:.3f}".replace("-", "−"), score_range(edges.get(second)))
    )
    if phrases.several(report):
        figures.append((ALL_RIGHT.title, percent(test["accuracy"]), percent_range(edges.get("accuracy"))))
    if decision.get("rule") == "threshold":
        names = phrases.operating_names(decision, test["labels"])
        for key in ("recall", "false_positive_rate"):
            value, around = measured(decision["test"].get(key))
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
    kept = phrases.coverage(report)
    if kept:
        figures.append(
            (
                f"{phrases.correct(report)} of the surest {phrases.rounded(kept[0])}",
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
    known = SCORES | ({"accuracy": ALL_RIGHT} if phrases.several(report) else {})
    rows: list[list[Cell]] = [
        [
            score.title,
            number(report["test"][key]),
            interval(report["intervals"].get(key)),
            *(number(rival.get(key)) for rival in rivals.values()),
        ]
        for key, score in known.items()
        if key in report["test"]
    ]
    times = (
        ("training", report.get("training", {}).get("seconds"), "train_seconds"),
        ("scoring", report.get("timing", {}).get("test"), "predict_seconds"),
    )
    for name, ours, key in times:
        if ours is not None:
            rows.append([name, seconds(ours), "", *(seconds(rival.get(key)) for rival in rivals.values())])
    head = ["", "model", "95 % interval", *(baselines.title(name) for name in rivals)]
    return Table(head, rows, "All scores", strong=1)


def scores(report: dict[str, Any]) -> Section:
    """Compare with each baseline, and name one that wins; then all scores."""
    rivals, score = report.get("baselines") or {}, phrases.main_score(report)
    rows: list[list[Cell]] = []
    sentences = []
    for key, rival in rivals.items():
        name, paired = baselines.title(key), rival.get("comparison", {})
        lead, p = paired.get("difference"), paired.get("p")
        right = f"{paired['ours_only']:,} : {paired['theirs_only']:,}" if "ours_only" in paired else "–"
        cells = [percent(rival[score]), points(lead, paired.get("interval")), right]
        if phrases.ordinal(report):
            paired = paired.get("mae", {})
            lead, p = rival["mae"] - report["test"]["mae"], paired.get("p")
            apart = phrases.grades(paired.get("difference"), paired.get("interval"))
            cells = [number(rival["mae"]), apart, number(rival["quadratic_kappa"])]
        rows.append([name, *cells, p_value(p)])
        if p is not None and p >= phrases.CHANCE:
            sentences.append(f"Against {name} the difference is within chance.")
        elif lead is not None and lead < 0:
            sentences.append(f"{name} is better than this model.")
    own = "training" in report and "trained_on" not in report.get("corpus", {})
    texts = phrases.texts(report)
    once = f"Test {texts} were scored once, by the final model. " if own else ""
    accuracy = f"{texts} with all labels right" if phrases.several(report) else "accuracy"
    sentences.append(
        f"{once}Intervals: 95 %, Wilson's for {accuracy}, bootstrap over the {texts} for the others."
    )
    tables = [score_table(report)]
    if "teachers" in report:
        tables.append(_teachers(report))
    if "validation" in report.get("ngrams", {}):
        tables.append(_ngrams(report["ngrams"], score))
    if rivals and phrases.ordinal(report):
        sentences.append(
            f"Baselines saw the same training {texts}, and are decided by their medians too. Difference: the "
            "model's mean absolute error less theirs, in grades (below 0 the model is better), with the 95 % "
            "interval of a paired bootstrap; p: exact permutation test of the paired errors."
        )
        head = ["", SCORES["mae"].short, "difference", SCORES["quadratic_kappa"].title, "p"]
        tables.insert(0, Table(head, rows, "Against baselines"))
    elif rivals:
        tested = "of approximate randomisation" if phrases.several(report) else "McNemar's exact test on them"
        sentences.append(
            f"Baselines saw the same training {texts}. Difference: the model's {SCORES[score].title} less "
            "theirs, in points, with the 95 % interval of a paired bootstrap. Alone right: "
            f"{texts} that only the model : only the baseline gets {'wholly ' * phrases.several(report)}"
            f"right; p: {tested}."
        )
        head = ["", SCORES[score].title, "difference", "alone right", "p"]
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
    return Table(
        ["", f"validation: {SCORES[score].title}", "log loss", "ROC-AUC"], rows, "Recurrence and n-grams"
    )


def _teachers(report: dict[str, Any]) -> Table:
    """Return what the teachers reach, their means, and the model that learned from the last of these."""
    taught, score = report["teachers"], phrases.main_score(report)
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
    head = ["", f"validation: {SCORES[score].title}", "log loss", f"test: {SCORES[score].title}", "log loss"]
    return Table(head, rows, "Teachers")


def measured(value: Any) -> tuple[float | None, Sequence[float] | None]:
    """Return a number and its interval; of validation there is only the number."""
    return (value["value"], value.get("interval")) if isinstance(value, dict) else (value, None)


def score_range(edges: Sequence[float] | None) -> str:
    return f"{edges[0]:.3f} – {edges[1]:.3f}".replace("-", "−") if edges else ""
