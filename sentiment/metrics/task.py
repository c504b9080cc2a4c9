"""What a label is: one of C classes, one of C grades in order, or any of L labels.

A `Task` knows all that follows from it, from logits to scores: who holds one need not ask which it is. It has
no state, so that all share it.
"""

from sentiment.metrics.multiclass import Multiclass
from sentiment.metrics.multilabel import Multilabel
from sentiment.metrics.ordinal import Ordinal

Task = Multiclass
TASKS: dict[str, Task] = {kind.name: kind() for kind in (Multiclass, Ordinal, Multilabel)}
MULTICLASS = TASKS["multiclass"]


def task(name: str) -> Task:
    """Return the task of a name, as ``corpus.task`` has it."""
    return TASKS[name]
