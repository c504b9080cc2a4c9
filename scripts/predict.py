"""The same as `sentiment predict`."""

import sys

from sentiment.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "predict")
    main()
