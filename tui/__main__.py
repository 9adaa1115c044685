"""`python -m tui` is `qd`."""

import sys

from tui.cli.main import main

sys.exit(main())
