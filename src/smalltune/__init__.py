"""smalltune: from one study file to fine-tuned small language models, statistics and a paper.

import smalltune as st

study = st.load("studies/demo")
study.run()
study.paper()
"""

from importlib import import_module
from typing import Any

__all__ = ["Study", "__version__", "load"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return `load` or `Study`; the rooms behind them are imported when first asked for."""
    if name in ("Study", "load"):
        return getattr(import_module("smalltune.api"), name)
    raise AttributeError(f"module 'smalltune' has no attribute {name!r}")
