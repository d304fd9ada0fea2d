"""smalltune: from one study file to fine-tuned small language models, statistics and a paper.

import smalltune as st

study = st.load("studies/demo")
study.run()
study.paper()
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from smalltune.api import Study, load

__all__ = ["Study", "__version__", "load"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return `load` or `Study`, importing them when they are first asked for."""
    if name in ("Study", "load"):
        from smalltune import api

        return getattr(api, name)
    raise AttributeError(f"module 'smalltune' has no attribute {name!r}")
