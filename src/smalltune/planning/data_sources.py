"""Data sources: where a task's rows come from, as its entry says: files, a folder, or a hub id.

A folder is read as a copy of a hub data set: the files of the split `train` are `train.csv`,
`train-00000-of-00002.parquet` and the like, in the folder itself, in its `data/`, or in a subfolder
named like the configuration.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smalltune.core.plugins import nearest
from smalltune.planning.schema import TaskEntry
from smalltune.planning.yaml_lines import Place, Problems

__all__ = ["Data", "DataReader", "find_split"]

SPLIT_FILE = re.compile(
    r"(?P<split>[\w.-]+?)(?:-(?P<n>\d{5})-of-(?P<of>\d{5}))?"
    r"\.(?P<kind>csv|tsv|jsonl|json|parquet|txt)(?:\.(?:gz|zst|bz2|xz))?"
)
HUB_ID = re.compile(r"(?:hub:)?([\w.-]+/[\w.-]+)")


@dataclass(frozen=True)
class Data:
    """Where a task's rows come from (see `TaskSpec`)."""

    files: Mapping[str, tuple[str, ...]]
    source: str | None = None
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    perhaps: Mapping[str, str] = field(default_factory=dict)


class DataReader:
    """Reads where the data of one task are; what is wrong is noted with its line."""

    def __init__(self, folder: Path, problems: Problems, place: Place, kind: Any):
        """Read for the task at `place`; paths are relative to the study's `folder`."""
        self.folder, self.problems, self.place, self.kind = folder, problems, place, kind

    def read(self, entry: TaskEntry) -> Data:
        """Return where the data are: as the entry says, else as the task itself says."""
        files = {role: tuple(paths) for role, paths in entry.files.items()}
        self._check_files(files)
        source = entry.source
        if source is None and not files and not self.kind.files and self.kind.hub:
            source = next(iter(self.kind.hub))
        if source is None:
            for key in ("config", "revision", "splits"):
                if getattr(entry, key):
                    self._note(f"{key!r} says what is meant of a `source:`, and there is none", key)
            with_package = {role: (path,) for role, path in self.kind.files.items()}
            files = {**with_package, **files}
            self._check_roles(files, "files")
            return Data(files)
        splits, perhaps = self._splits(entry, files)
        if source.startswith((".", "/", "~")) or (self.folder / source).is_dir():
            return self._folder(source, entry, files, splits, perhaps)
        return self._hub(source, entry, files, splits, perhaps)

    def _splits(
        self, entry: TaskEntry, files: Iterable[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Return which split each role is that has no files, and which it may be."""
        named = dict(entry.splits or self.kind.splits)
        for role in named:
            self._check_role(role, "splits")
        perhaps = {}
        if not named:
            named = {"train": "train", "test": "test"} if self.kind.roles else {"text": "train"}
            perhaps = {"dev": "validation"} if "dev" in self.kind.roles else {}
        self._check_roles([*named, *files], "splits")
        return (
            {role: split for role, split in named.items() if role not in files},
            {role: split for role, split in perhaps.items() if role not in files},
        )

    # The three places

    def _folder(
        self,
        source: str,
        entry: TaskEntry,
        files: Mapping[str, tuple[str, ...]],
        splits: Mapping[str, str],
        perhaps: Mapping[str, str],
    ) -> Data:
        folder = self.folder / Path(source).expanduser()
        if entry.revision:
            self._note("a revision is one of the hub, and the source is a folder", "revision")
        if not folder.is_dir():
            self._note(f"no folder {source!r}", "source")
            return Data(files, source)
        found = dict(files)
        for role, split in {**perhaps, **splits}.items():
            paths, wrong = find_split(folder, split, entry.config)
            if wrong and (role in splits or paths):
                self._note(f"{wrong} in {source!r}", "source")
            if paths:
                found[role] = tuple(f"{source.rstrip('/')}/{path}" for path in paths)
        return Data(found, source, entry.config, None, {**splits, **perhaps})

    def _hub(
        self,
        source: str,
        entry: TaskEntry,
        files: Mapping[str, tuple[str, ...]],
        splits: Mapping[str, str],
        perhaps: Mapping[str, str],
    ) -> Data:
        match = HUB_ID.fullmatch(source)
        if match is None:
            text = f"no data {source!r}: a hub id is owner/name, a folder begins with ./ or /"
            self._note(text, "source")
            return Data(files, source)
        config = entry.config or self.kind.hub.get(match[1])
        return Data(files, f"hub:{match[1]}", config, entry.revision, splits, perhaps)

    # What is wrong

    def _check_files(self, files: Mapping[str, tuple[str, ...]]) -> None:
        for role, paths in files.items():
            self._check_role(role, "files")
            for path in paths:
                here = self.folder / Path(path).expanduser()
                if not path.startswith("embedded:") and not here.is_file():
                    self._note(f"no file {path!r} in {self.folder.name}/", "files", role)

    def _check_role(self, role: str, key: str) -> None:
        if self.kind.roles and role not in self.kind.roles:
            self._note(f"no role {role!r}. {nearest(role, self.kind.roles)}", key, role)

    def _check_roles(self, there: Iterable[str], key: str) -> None:
        roles = list(there)
        needed = [role for role in self.kind.roles if role != "dev"] or ["text"][: not roles]
        missing = [role for role in needed if role not in roles]
        if missing:
            what = "file" if key == "files" else "split"
            at = ".".join((*self.place, key))
            self._note(f"{at} names no {missing[0]!r} {what}", key)
        elif odd := self.kind.odd_roles(roles):
            self._note(f"{'.'.join(self.place)}: {odd}", key)

    def _note(self, text: str, *at: str) -> None:
        self.problems.add((*self.place, *at), text)


def find_split(folder: Path, split: str, config: str | None) -> tuple[list[str], str]:
    """Return the paths of a split's files in a folder, in order, and what is wrong with them."""
    there: set[str] = set()
    for below in ([config] if config else []) + ["", "data"]:
        place = folder / below
        names = sorted(path.name for path in place.iterdir()) if place.is_dir() else []
        matches = [found for name in names if (found := SPLIT_FILE.fullmatch(name))]
        there |= {found["split"] for found in matches}
        mine = [found for found in matches if found["split"] == split]
        if mine:
            paths = [f"{below}/{found.string}" if below else found.string for found in mine]
            return paths, _not_one(mine)
    near = nearest(split, sorted(there)) if there else "There are no tables."
    return [], f"no file of the split {split!r} (such as {split}.parquet). {near} Looked"


def _not_one(found: list[re.Match[str]]) -> str:
    """Return why the files are not one split in parts, "" when they are."""
    names = [each.string for each in found]
    if len(found) == 1 and found[0]["of"] is None:
        return ""
    if any(each["of"] is None for each in found) or len({each["kind"] for each in found}) > 1:
        return f"both {names[0]} and {names[1]}: name the right one under `files:`, not the folder,"
    parts = int(found[0]["of"])
    if [int(each["n"]) for each in found] != list(range(parts)):
        return f"{len(found)} of {parts} parts of {found[0]['split']}"
    return ""
