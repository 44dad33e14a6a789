"""`python -m pollbench` of an installed pollbench, whose front door is a package: becomes `pollbench/__main__.py`."""

import sys

from pollbench import main

if __name__ == "__main__":
    sys.exit(main())
