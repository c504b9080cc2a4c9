"""`python -m sentiment.cli` is `sentiment`."""

from sentiment.cli import main

main()
