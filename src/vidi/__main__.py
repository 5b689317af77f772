"""``python -m vidi``."""

import sys

from vidi.cli import main

sys.exit(main())
