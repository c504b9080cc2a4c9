"""A report without the texts that it quotes: for corpora that may not be passed on."""

import copy
from typing import Any, cast

from sentiment.core.schema.report import Report


def without_texts(report: Report) -> Report:
    """Return a copy without texts of the corpus; mistakes and suspects keep the numbers of their rows.

    Of the audit the examples go, and beginnings and endings that tell a label, which are pieces of texts;
    single tokens stay.
    """
    result: Any = copy.deepcopy(report)
    failures, audit = result.get("failures") or {}, result.get("audit") or {}
    for one in [*failures.get("mistakes", []), *failures.get("suspects", [])]:
        for key in ("text", "truncated_text", "words"):
            one.pop(key, None)
    for split in audit.get("splits", {}).values():
        for finding in (split["unusable_rows"], *split["oddities"].values()):
            _drop_examples(finding)
    for key in ("conflicts", "near_duplicates"):
        _drop_examples(audit.get(key) or {})
    if "leakage" in audit:
        audit["leakage"] = [one for one in audit["leakage"] if one.get("kind") == "token"]
    return cast(Report, result)


def _drop_examples(finding: dict[str, Any]) -> None:
    for key in ("example", "examples"):
        finding.pop(key, None)
