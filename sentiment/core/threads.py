"""How threads wait; torch reads it once, when it is loaded."""

import os
import sys


def spin_briefly() -> None:
    """Let torch's threads spin shorter while they wait, unless torch is loaded or the user has chosen.

    They spin a millisecond by default: two trainings at once on two cores were seven times slower than one
    alone. Spinning briefly costs 4 % on a quiet machine and mends that.
    """
    if "torch" not in sys.modules:
        os.environ.setdefault("GOMP_SPINCOUNT", "5000")
