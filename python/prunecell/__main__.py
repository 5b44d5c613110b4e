"""`python -m prunecell`: the command line."""

import sys

from prunecell_cli import main

sys.exit(main())
