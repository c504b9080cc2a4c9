"""How a class is chosen, and how calibrated the probabilities are."""

from collections.abc import Iterator, Mapping
from typing import Any

from sentiment.core.schema.report import Report
from sentiment.core.schema.scores import CalibrationErrors, DecisionFacts
from sentiment.metrics.catalogue import CALIBRATION, SCORES
from sentiment.report import phrases
from sentiment.report.document import Cell, Section, Table
from sentiment.report.phrases import number, percent
from sentiment.report.scores import measured
from sentiment.report.words import of_input, of_task, score_of

BRIER = {
    "score": SCORES["brier"].title,
    "reliability": "- reliability, less is better",
    "resolution": "- resolution, more is better",
    "uncertainty": "- uncertainty of the classes",
}


def decision(report: Report) -> Section:
    sentences, tables, texts = [], [], of_input(report).texts
    decision, calibration = report.get("decision"), report.get("calibration")
    labels = report["test"]["labels"]
    if decision:
        sentences += list(_rule(decision, report))
    sentence = phrases.coverage_sentence(report)
    if sentence:
        sentences.append(sentence)
    if decision:
        rows: list[list[Cell]] = []
        # A bundle of schema 1 has no decision of its own.
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
    if decision["rule"] == "median":
        yield (
            "The median grade is chosen: from the lowest on, the first with which the probabilities reach a "
            f"half. They are at temperature {decision['temperature']:.3f}."
        )
    elif decision["rule"] == "threshold":
        yield (
            f"A {of_input(report).text} is {decision['positive']} from a probability of "
            f"{decision['threshold']:.4f} on; else it is not. "
            f"Probabilities are at temperature {decision['temperature']:.3f}."
        )
    elif decision.get("thresholds"):
        yield (
            f"A {of_input(report).text} is given each label from the label's own threshold on, chosen on "
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
                f"meant for the least sure {percent(unsure['share'])} of the {of_input(report).texts}."
            )
            return
        between = f"Between {unsure['low']:.4f} and" if unsure["low"] else "Below"
        yield (
            f"{between} {unsure['high']:.4f} the answer is “unsure”, "
            f"meant for the least sure {percent(unsure['share'])} of the {of_input(report).texts}."
        )
