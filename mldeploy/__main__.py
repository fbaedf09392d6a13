"""`python -m mldeploy`."""

import sys

from mldeploy.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
