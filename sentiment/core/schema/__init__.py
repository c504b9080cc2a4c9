"""What the JSON files of the package hold, as types: no cost at run time, and mypy sees a misspelled key."""
