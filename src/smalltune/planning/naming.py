"""Naming: what a study file's entries name, against the study's own names and the plug-ins."""

from collections.abc import Iterable
from typing import Any

from smalltune.core.errors import StudyError
from smalltune.core.plugins import load, names, nearest
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["Naming"]


class Naming:
    """Looks names up; what is not there is noted with its line and the nearest right name."""

    def __init__(self, problems: Problems):
        """Note problems in `problems`."""
        self.problems = problems

    def among(self, name: str, known: Iterable[str], place: Place, what: str) -> str:
        """Return the name, after noting when it is not among the study's own."""
        there = list(known)
        if name not in there:
            text = f"no {what} {name!r} in this study. {nearest(name, there)}"
            self.problems.add(place, text)
        return name

    def plugin(self, what: str, name: str, place: Place) -> Any:
        """Return a plug-in's class, or None after noting that there is none of this name."""
        room = f"smalltune.{what}s"
        known = names(room)
        if "." not in name and name not in known:
            more = " For data of your own, give `kind:` and `files:`" if what == "task" else ""
            self.problems.add(place, f"no {what} {name!r}. {nearest(name, known)}{more}")
            return None
        try:
            return load(room, name)
        except StudyError as error:
            self.problems.add(place, str(error))
            return None
