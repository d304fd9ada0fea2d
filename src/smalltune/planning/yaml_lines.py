"""YAML with line numbers: values as JSON has them, and the line on which each of them stands.

Differences from PyYAML's defaults, all towards YAML 1.2: `1e-3` is a number, `yes`, `no`, `on` and
dates are text (they are often labels), a key is the text that stands there, and a key that occurs
twice is an error instead of a silent loss.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from smalltune.core.errors import StudyError

__all__ = ["Document", "Place", "Problems", "parse_value", "read_document"]

Place = tuple[str, ...]
"""Where a value stands: the keys and positions that lead to it, as text."""

DEEPEST: Final = 20


@dataclass(frozen=True)
class Document:
    """A YAML file: its values, the line of each place, and the key's line where there is one."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[Place, int] = field(repr=False)

    def line(self, place: Place) -> int | None:
        """Return the line of a place, or of the nearest place around it; None if there is none."""
        while place not in self.lines and place:
            place = place[:-1]
        return self.lines.get(place)


class Problems:
    """Collects what is wrong with a file, so that a user sees all of it at once."""

    def __init__(self, document: Document):
        """Collect for one file."""
        self.document = document
        self._found: list[tuple[int, str]] = []

    def add(self, place: Place, text: str) -> None:
        """Note what is wrong at a place; places that were not in the file get no line."""
        line = self.document.line(place)
        where = self.document.path.name + (f":{line}" if line else "")
        self._found.append((line or 0, f"{where}: {text}"))

    def __bool__(self) -> bool:
        """Tell whether anything is wrong."""
        return bool(self._found)

    def stop(self) -> None:
        """Raise StudyError with all problems, one a line, in the order of the file."""
        if self._found:
            in_order = sorted(self._found, key=lambda problem: problem[0])
            raise StudyError("\n".join(dict.fromkeys(text for _, text in in_order)))


class _Loader(yaml.SafeLoader):
    """A safe loader whose plain scalars are read as YAML 1.2's core schema reads them."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own attribute)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), [*_first.replace("\0", ""), ""]
    )


def read_document(path: Path) -> Document:
    """Return a YAML file's mapping with its line numbers.

    Raises StudyError with file and line for bad syntax, a key that occurs twice, or a file that
    is missing, is not UTF-8 or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StudyError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{path.name}: byte {error.start} is not UTF-8: save it as UTF-8"
        ) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        build = _Builder(path, loader)
        data = build.value(node, ()) if node is not None else {}
    except yaml.YAMLError as error:
        raise StudyError(f"{path.name}{_said(error)}") from None
    if not isinstance(data, dict):
        raise StudyError(
            f"{path.name}:1: a study file holds `key: value` lines, such as `seeds: 6`"
        )
    if build.wrong:
        raise StudyError("\n".join(build.wrong))
    return Document(path, data, build.lines)


def parse_value(text: str) -> Any:
    """Return the value of a YAML text such as `1e-3` or `[1, 2]`, from the command line."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        raise StudyError(f"{text!r} is not a value as YAML writes it") from None


class _Builder:
    """Turns nodes into values and notes their lines."""

    def __init__(self, path: Path, loader: _Loader):
        self.path, self.loader = path, loader
        self.lines: dict[Place, int] = {(): 1}
        self.wrong: list[str] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        """Return the value of a node; the lines of all places in it are noted."""
        if len(place) > DEEPEST:
            raise StudyError(f"{self.path.name}:{_line(node)}: nested too deeply")
        self.lines.setdefault(place, _line(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(each, (*place, str(i))) for i, each in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        self._check_keys(node)
        self.loader.flatten_mapping(node)
        found = {}
        for key, each in node.value:  # keys merged from an anchor come first and give way
            name = str(key.value)
            self.lines[(*place, name)] = _line(key)
            found[name] = self.value(each, (*place, name))
        return found

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: dict[str, int] = {}
        for key, _ in node.value:
            where, name = f"{self.path.name}:{_line(key)}", str(key.value)
            if not isinstance(key, yaml.ScalarNode):
                self.wrong.append(f"{where}: a key must be a word")
            elif name in seen and name != "<<":
                self.wrong.append(
                    f"{where}: {name!r} stands here again (first on line {seen[name]})"
                )
            seen.setdefault(name, _line(key))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _said(error: yaml.YAMLError) -> str:
    """Return `:line: reason` of a syntax error."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    line = f":{mark.line + 1}" if mark else ""
    return (
        f"{line}: this is not YAML: {reason}. Is the indentation right, a quote or colon missing?"
    )
