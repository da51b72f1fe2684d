"""``python -m garrick.cli`` is ``garrick``."""

from __future__ import annotations

import sys

from garrick.cli import main

sys.exit(main())
