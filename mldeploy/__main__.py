"""`python -m mldeploy`."""

import sys

from mldeploy.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
