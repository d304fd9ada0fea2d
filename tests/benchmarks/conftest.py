"""The benchmark is no package of smalltune: its folder goes on the path while these tests run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
