"""Settings of the machine, of the decision and of the report."""

from typing import Literal

from sentiment.core.sections import Section, setting


class RuntimeConfig(Section):
    """The machine."""

    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "auto: cuda, else mps, else cpu")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = setting(
        "auto", "of the recurrence and matrix products; auto: bf16 on a GPU that has it"
    )
    threads: int = setting(0, "CPU threads; 0: as torch finds", ge=0)
    deterministic: bool = setting(False, "refuse operations that differ from run to run")


class DecisionConfig(Section):
    """What is made of the probabilities; fitted on the validation texts."""

    temperature: bool = setting(True, "divide the logits by a fitted number, so that probabilities hold")
    positive: str | None = setting(
        None, "of two classes, the label that rates and costs are about; the second if unset"
    )
    target: str | None = setting(
        None, "two classes: a rate to reach, as precision(spam) >= 0.995 or blocked(ham) <= 0.2 %"
    )
    false_positive_cost: float = setting(
        1.0, "two classes: of taking a text for positive by mistake, against the next", gt=0
    )
    false_negative_cost: float = setting(1.0, "two classes: of missing a positive text", gt=0)
    unsure: float = setting(0.0, "share of the texts, the least sure, that is left to a person", ge=0, lt=1)


class ReportConfig(Section):
    """The evaluation after training."""

    baselines: bool = setting(True, "also score the majority class, TF-IDF + logistic regression and NB-SVM")
    texts: bool = setting(
        True, "quote texts of the corpus; false: mistakes and suspects only by their rows, no examples"
    )
    bootstrap: int = setting(1000, "resamples behind the 95 % intervals", ge=100)
