"""The lock: what the study's names meant when it was locked, by digest and commit.

`study.lock` is written once and read ever after. Local models and data are locked by the first
`plan` or `run`; hub names only by `smalltune lock`. When a locked file has other bytes now, that is
an error and not a silent change of the question.
"""

import dataclasses
import importlib.metadata
import json
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from smalltune.core.errors import StudyError
from smalltune.core.provenance import environment
from smalltune.core.store import write_json
from smalltune.planning.shape import in_words

__all__ = [
    "Lock",
    "LockedFile",
    "LockedModel",
    "LockedTask",
    "fingerprint",
    "lock_path",
    "read_lock",
    "write_lock",
]

FORMAT = 2
"""Raised when a lock of the format before cannot be read any more."""


@dataclass(frozen=True)
class LockedModel:
    """A model as pinned: `ref` says where it lies, `digest` and `tokeniser` what it holds.

    `files` has the SHA-256 of each file of a hub model. A digest is over contents alone: the same
    files have the same one on the hub and in a folder.
    """

    source: str
    ref: str
    revision: str | None
    digest: str
    tokeniser: str
    parameters: int | None
    dtype: str
    config: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def context(self) -> int | None:
        """The longest text in tokens that the model reads, where its configuration says so."""
        found = self.config.get("max_position_embeddings", self.config.get("n_positions"))
        return int(found) if found else None


@dataclass(frozen=True)
class LockedFile:
    """A data file as pinned; `path` is as the study file writes it, or a reference to the hub."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class LockedTask:
    """A task's data as pinned: each role's files in order, and where those of the hub are from.

    `source` (`hub:OWNER/NAME` or a folder), `config`, `revision` and `splits` are what the study
    asked for; `commit` is what the hub's names meant.
    """

    files: Mapping[str, tuple[LockedFile, ...]]
    source: str | None = None
    config: str | None = None
    revision: str | None = None
    splits: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = None

    def same_question(self, other: "LockedTask") -> bool:
        """Tell whether the study asks for the same data by the same names."""
        return (self.source, self.config, self.revision, dict(self.splits)) == (
            other.source, other.config, other.revision, dict(other.splits),
        )  # fmt: skip


@dataclass(frozen=True)
class Lock:
    """Everything that a study's names mean."""

    models: Mapping[str, LockedModel]
    tasks: Mapping[str, LockedTask]
    dtype: str
    environment: Mapping[str, Any]
    date: str = field(default="", compare=False)


@dataclass(frozen=True)
class _Environment:
    """What `fingerprint` returns, as the file holds it."""

    python: str
    platform: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class _File:
    """What `study.lock` holds."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    format: int
    models: Mapping[str, LockedModel]
    tasks: Mapping[str, LockedTask]
    dtype: Literal["float32", "bfloat16"]
    environment: _Environment
    date: str


def lock_path(study_file: Path) -> Path:
    """Return where the lock of a study file lies: `study.lock` beside `study.yaml`."""
    return study_file.with_suffix(".lock")


def read_lock(path: Path) -> Lock | None:
    """Return the lock in a file, or None when there is none; a damaged one is a StudyError."""
    if not path.is_file():
        return None
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise _unreadable(path, "it is not JSON") from None
    if isinstance(raw, dict) and raw.get("format", FORMAT) != FORMAT:
        said = f"it has format {raw['format']}, this smalltune reads {FORMAT}"
        raise _unreadable(path, said)
    try:
        held = TypeAdapter(_File).validate_json(json.dumps(raw), strict=True)
    except ValidationError as error:
        raise _unreadable(path, _wrong(error)) from None
    for name, model in held.models.items():
        if said := _unpinned(model):
            raise _unreadable(path, f"models.{name}.{said}")
    return Lock(held.models, held.tasks, held.dtype, asdict(held.environment), held.date)


def _unreadable(path: Path, said: str) -> StudyError:
    return StudyError(
        f"{path.name}: cannot be read ({said}). `smalltune lock STUDY` writes it anew"
    )


def _unpinned(model: LockedModel) -> str:
    """Return what a model of the hub lacks to be fetched."""
    if not model.ref.startswith("hub:"):
        return ""
    if not re.fullmatch(r"hub:[^@]+@[0-9a-f]{40}", model.ref):
        return "ref: must be hub:OWNER/NAME@COMMIT"
    return "" if model.files else "files: is missing"


def _wrong(error: ValidationError) -> str:
    """Return where the first fault is and what it is."""
    wrong: dict[str, Any] = dict(error.errors(include_url=False)[0])
    said = {
        "missing": "is missing",
        "unexpected_keyword_argument": "is unknown",
        "dataclass_type": "must be a JSON object",
        "dict_type": "must be a JSON object",
        "json_invalid": "it is not JSON",
    }.get(wrong["type"]) or f"must be {in_words(wrong)}"
    where = ".".join(str(part) for part in wrong["loc"])
    return f"{where}: {said}" if where else said


def write_lock(path: Path, lock: Lock) -> Lock:
    """Write the lock with today's date and return it."""
    dated = dataclasses.replace(lock, date=time.strftime("%Y-%m-%d", time.gmtime()))
    write_json(path, {"format": FORMAT, **asdict(dated)})
    return dated


def fingerprint() -> dict[str, Any]:
    """Return what the numbers may depend on besides the study: Python, packages, platform."""
    packages = dict(environment()["packages"])
    for name in ("safetensors", "huggingface_hub", "pyarrow"):
        packages[name] = importlib.metadata.version(name)
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages,
    }
