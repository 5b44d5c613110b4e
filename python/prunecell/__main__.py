"""`python -m prunecell`: the command line."""

import sys

from prunecell.cli import main

sys.exit(main())
