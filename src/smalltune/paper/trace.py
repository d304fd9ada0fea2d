"""Trace: from a number of the paper, or from a trial, back to the jobs that made it."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smalltune.core.errors import LatexError, StoreError
from smalltune.core.job import Job, Trial
from smalltune.core.plugins import nearest
from smalltune.core.store import Store

__all__ = ["Origin", "Step", "Trace", "TrialTrace", "trace", "trace_trial"]


@dataclass(frozen=True)
class Origin:
    """An artifact behind a number: which stage made it, from what, and at what cost.

    `depth` is 0 for the artifact that the number is computed from, 1 for its inputs, and so on.
    What is not stored has the stage "" (the store was cleaned or is another one).
    """

    key: str
    depth: int
    stage: str
    spec: dict[str, Any]
    seconds: float | None
    device: str
    packages: dict[str, str]
    finished: str


@dataclass(frozen=True)
class Trace:
    """A number's record as `numbers.json` keeps it, and the artifacts behind it."""

    id: str
    value: Any
    printed: str
    unit: str
    what: str
    source: str
    trials: tuple[str, ...]
    origins: tuple[Origin, ...]

    def record(self) -> dict[str, Any]:
        """Return the trace as JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the trace as text for a terminal."""
        yield f"{self.id} = {self.value!r}, printed as {self.printed!r}"
        yield f"  what: {self.what}"
        if self.source:
            yield f"  source: {self.source}"
        if self.trials:
            yield f"  trials: {', '.join(self.trials)}"
        for origin in self.origins:
            indent = "  " * (origin.depth + 1)
            made = f"{origin.seconds:.1f} s on {origin.device}" if origin.seconds else "not timed"
            versions = ", ".join(f"{n} {v}" for n, v in origin.packages.items())
            said = f"{origin.stage}, {made}, {origin.finished}" if origin.stage else "not stored"
            yield f"{indent}{origin.key[:12]} {said}" + (f" ({versions})" if versions else "")


@dataclass(frozen=True)
class Step:
    """One job of a trial: what it is called, its key, and whether its answer is stored.

    `state` is done, dropped (done, but its files were removed after use), failed or missing.
    """

    label: str
    stage: str
    key: str
    state: str
    seconds: float | None = None
    finished: str = ""
    reason: str = ""


@dataclass(frozen=True)
class TrialTrace:
    """A trial's jobs in the order in which they run."""

    id: str
    steps: tuple[Step, ...]

    def record(self) -> dict[str, Any]:
        """Return the trace as JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the trace as text for a terminal."""
        yield self.id
        for step in self.steps:
            more = [f"{step.seconds:.1f} s"] if step.seconds is not None else []
            more += [text for text in (step.finished, step.reason) if text]
            said = ", ".join([step.state, *more])
            yield f"  {step.key[:12]} {step.label or step.stage}: {said}"


def trace_trial(trial: Trial, store: Store) -> TrialTrace:
    """Return the jobs behind all scores of a trial, inputs first, each with its state."""
    seen: set[str] = set()
    jobs = [job for goal in trial.goals for job in goal.walk(seen)]
    return TrialTrace(trial.id, tuple(_step(job, store) for job in jobs))


def _step(job: Job, store: Store) -> Step:
    failure = store.failure(job.key)
    if not store.known(job.key):
        reason = str(failure["reason"]) if failure else ""
        return Step(
            job.label, job.stage, job.key, "failed" if failure else "missing", None, "", reason
        )
    made = store.provenance(job.key)
    state = "done" if store.has(job.key) else "dropped"
    return Step(
        job.label, job.stage, job.key, state, made.get("seconds"), made.get("finished") or ""
    )


def trace(folder: Path, number: str, store: Store | None = None) -> Trace:
    """Return where a number of the paper in `folder` comes from.

    `number` is the macro's name, with or without its backslash. With a store the artifacts are
    followed to their inputs, each once. Raises LatexError when there is no such paper or number.
    """
    path = folder / "numbers.json"
    if not path.is_file():
        raise LatexError(f"{path}: there is no paper yet: run `smalltune paper STUDY` first")
    records: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    name = number.removeprefix("\\").removesuffix("{}")
    if name not in records:
        raise LatexError(f"{path}: no number {name!r}. {nearest(name, sorted(records)[:2000])}")
    found = records[name]
    seen: set[str] = set()
    origins = [o for key in found["keys"] for o in _walk(store, key, 0, seen)] if store else []
    return Trace(
        id=name,
        value=found["value"],
        printed=found["printed"],
        unit=found["unit"],
        what=found["what"],
        source=found["source"],
        trials=tuple(found["trials"]),
        origins=tuple(origins),
    )


def _walk(store: Store, key: str, depth: int, seen: set[str]) -> Iterator[Origin]:
    """Yield an artifact and those that it was made from, each once."""
    if key in seen:
        return
    seen.add(key)
    try:
        manifest, made = store.manifest(key), store.provenance(key)
    except StoreError:
        yield Origin(key, depth, "", {}, None, "", {}, "")
        return
    yield Origin(
        key=key,
        depth=depth,
        stage=manifest["stage"],
        spec=manifest["spec"],
        seconds=made.get("seconds"),
        device=made.get("device") or "an unknown device",
        packages=made.get("packages") or {},
        finished=made.get("finished") or "",
    )
    for inner in manifest["inputs"].values():
        yield from _walk(store, inner, depth + 1, seen)
