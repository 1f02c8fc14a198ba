"""``python -m inspect_cost``."""

import sys

from inspect_cost.cli import main

sys.exit(main())
