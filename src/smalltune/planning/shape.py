"""The study file against its shape: short forms are spelt out, faults become sentences."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from smalltune.core.plugins import nearest
from smalltune.planning.published import PublishedEntry
from smalltune.planning.schema import ContrastEntry, Limit, ModelEntry, StudyFile, TuningEntry
from smalltune.planning.yaml_lines import Problems

__all__ = ["check_shape", "in_words"]


def check_shape(data: dict[str, Any], problems: Problems) -> StudyFile | None:
    """Return the study file's values, or None after noting what is wrong with them."""
    try:  # as JSON, where a whole number is a number too although everything else is strict
        return StudyFile.model_validate_json(json.dumps(_spelt_out(data)), strict=True)
    except ValidationError as error:
        for wrong in error.errors(include_url=False):
            _note(dict(wrong), problems)
    return None


def _spelt_out(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data with short forms written out: `majority:`, `seeds: 6`, "lora - full"."""
    data = dict(data)
    for room in ("models", "tasks", "methods"):
        if isinstance(data.get(room), dict):
            data[room] = {name: _entry(entry) for name, entry in data[room].items()}
    seeds = data.get("seeds")
    if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
        data["seeds"] = list(range(min(seeds, 10_000)))
    if isinstance(data.get("contrasts"), list):
        data["contrasts"] = [_contrast(each) for each in data["contrasts"]]
    return data


def _entry(entry: Any) -> Any:
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        return entry
    entry = dict(entry)
    if isinstance(entry.get("citation"), str):
        entry["citation"] = [entry["citation"]]
    for name in ("tasks", "also"):
        if isinstance(entry.get(name), str):
            entry[name] = [entry[name]]
    if isinstance(entry.get("files"), dict):
        files = entry["files"].items()
        entry["files"] = {role: [p] if isinstance(p, str) else p for role, p in files}
    return entry


def _contrast(entry: Any) -> Any:
    found = re.fullmatch(r"\s*(\S+)\s+-\s+(\S+)\s*", entry) if isinstance(entry, str) else None
    return {"a": found[1], "b": found[2]} if found else entry


_MEANT = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "list_type": "a list",
    "tuple_type": "a list",
    "literal_error": "one of {expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "greater_than": "more than {gt}",
    "less_than": "less than {lt}",
    "too_short": "given at least one entry",
    "string_pattern_mismatch": "a name of letters, digits, '.', '_' and '-'",
    "finite_number": "a finite number",
}


def _note(wrong: dict[str, Any], problems: Problems) -> None:
    """Turn one error of pydantic into a sentence at its place."""
    place = tuple(str(part) for part in wrong["loc"])
    within = f" in {'.'.join(place[:-1])}" if place[1:] else ""
    if wrong["type"] == "extra_forbidden":
        known = _keys_at(place[:-1])
        problems.add(place, f"unknown key {place[-1]!r}{within}. {nearest(place[-1], known)}")
    elif wrong["type"] == "missing":
        problems.add(place[:-1], f"{place[-1]!r} is missing{within}")
    elif place[-1] == "[key]":
        problems.add(place[:-1], f"{place[-2]!r} must be {in_words(wrong)}")
    elif place[0] == "contrasts" and len(place) == 2:
        problems.add(place, f'a contrast is two methods, "a - b", not {wrong["input"]!r}')
    else:
        value = f", not {wrong['input']!r}" if wrong["type"] != "too_short" else ""
        problems.add(place, f"{'.'.join(place)} must be {in_words(wrong)}{value}")


def in_words(wrong: Mapping[str, Any]) -> str:
    """Return what a value must be by an error of pydantic."""
    if wrong["type"] == "list_type" and wrong.get("loc") == ("seeds",):
        above = " above 0" if isinstance(wrong.get("input"), int) else ""
        return f"a list or a whole number{above}"
    meant = _MEANT.get(wrong["type"])
    return meant.format_map(wrong.get("ctx", {})) if meant else str(wrong["msg"])


def _keys_at(place: tuple[str, ...]) -> list[str]:
    """Return the keys that may stand at a place."""
    classes: dict[str, type[BaseModel]] = {
        "models": ModelEntry, "contrasts": ContrastEntry, "tuning": TuningEntry,
        "published": PublishedEntry,
    }  # fmt: skip
    if not place:
        return list(StudyFile.model_fields)
    if place[-1] == "limit":
        return list(Limit.model_fields)
    return list(classes[place[0]].model_fields)
