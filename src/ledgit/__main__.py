"""``python -m ledgit`` is the ``ledgit`` command."""

import sys

from ledgit.cli import main

if __name__ == "__main__":
    sys.exit(main())
