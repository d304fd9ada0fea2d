"""Plug-ins: a file in a room is a plug-in, and its file name is its name.

A plug-in file names its one public object in `__all__`. There is no registry and no decorator:
nothing is imported until it is asked for, and listing a room reads file names only.
"""

import difflib
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

from smalltune.core.errors import StudyError

__all__ = ["load", "names", "nearest"]


def nearest(word: str, known: Sequence[str]) -> str:
    """Return ` Did you mean 'x'?`, or the list of what there is when nothing is near."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(sorted(known))}."


def names(room: str) -> list[str]:
    """Return the plug-ins of a room, for example `names("smalltune.methods")`.

    A file whose name begins with an underscore is none: it holds what several share.
    """
    package = importlib.import_module(room)
    found = (info.name for info in pkgutil.iter_modules(package.__path__))
    return sorted(name for name in found if not name.startswith("_"))


def load(room: str, name: str) -> Any:
    """Return the plug-in called `name`; a name with a dot is a module of the user's own.

    Raises StudyError when there is no such file or it does not name one object in `__all__`.
    """
    kind = room.rpartition(".")[2].removesuffix("s")
    place = name if "." in name else f"{room}.{name}"
    if place not in sys.modules and "." not in name and name not in names(room):
        raise StudyError(f"no {kind} {name!r}. {nearest(name, names(room))}")
    try:
        module = importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise StudyError(
            f"no module {name!r} for the {kind}: is its folder on PYTHONPATH?"
        ) from None
    public = getattr(module, "__all__", [])
    if len(public) != 1:
        raise StudyError(f"{module.__name__} must name exactly one object in __all__")
    return getattr(module, public[0])
