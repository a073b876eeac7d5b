"""Has the tests of services that are written in Python find the package of their service."""

import sys
from pathlib import Path

sys.path[:0] = sorted(str(path.parent.parent) for path in Path(__file__).parent.glob("*/*/__main__.py"))
