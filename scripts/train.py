"""The same as `sentiment train`."""

import sys

from sentiment.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
