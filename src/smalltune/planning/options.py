"""Options: a study's values against the fields of the dataclass that will hold them.

Methods, tasks and the engine declare their options as dataclass fields, with types. So a wrong
key or type is found when the study file is read, before anything runs, and without PyTorch.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from smalltune.core.errors import SmalltuneError
from smalltune.core.plugins import nearest
from smalltune.planning.shape import in_words
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["build", "check", "names_of"]


def names_of(kind: type) -> list[str]:
    """Return the option names of a dataclass."""
    return [field.name for field in dataclasses.fields(kind)]


def check(
    kind: type,
    values: Mapping[str, Any],
    place: Place,
    problems: Problems,
    *,
    owner: str,
    beside: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the values that fit the fields of `kind`; note each that does not.

    `owner` is what a reader calls the options' owner; `beside` are keys that may stand at the
    same place and belong to something else, for the nearest right name.
    """
    hints, fitting = get_type_hints(kind), {}
    known = names_of(kind)
    for name, value in values.items():
        if name not in known:
            text = f"{owner} has no option {name!r}. {nearest(name, [*known, *beside])}"
            problems.add((*place, name), text)
            continue
        try:
            fitting[name] = _fit(hints[name], value)
        except ValidationError as error:
            meant = " or ".join(dict.fromkeys(in_words(dict(e)) for e in error.errors()))
            problems.add((*place, name), f"{owner}: {name} must be {meant}, not {value!r}")
    return fitting


def build(kind: type, values: Mapping[str, Any], place: Place, problems: Problems) -> Any:
    """Return `kind(**values)`, or None after noting why the values cannot be together."""
    try:
        return kind(**values)
    except (SmalltuneError, ValueError, TypeError) as error:
        problems.add(place, str(error))
        return None


def _fit(hint: Any, value: Any) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(hint, config=ConfigDict(allow_inf_nan=False))
    return adapter.validate_json(json.dumps(value), strict=True)
