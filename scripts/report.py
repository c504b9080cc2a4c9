"""The same as `sentiment report`."""

import sys

from sentiment.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "report")
    main()
