"""Reports: what a run says while it goes on and when it has ended."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from smalltune.core.job import Job
from smalltune.core.plural import plural

__all__ = ["Event", "Failed", "Report"]


@dataclass(frozen=True)
class Event:
    """What happens while a study runs.

    `kind` is "fetch" (info: `what` is downloaded from the hub), "plan" (info: `missing` jobs;
    counts of `stored`, `trials`, `workers`), "start", "progress" (the stage's own words),
    "elsewhere" (another process runs the job), "found" (it has stored the answer), "done" or
    "failed" (info: `reason`).
    """

    kind: str
    job: Job | None = None
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A job that failed, why in a line, and a traceback when the reason was not foreseen."""

    label: str
    key: str
    reason: str
    details: str = ""


@dataclass
class Report:
    """What a run did.

    `stored` are the keys of jobs that were there before, `done` of those that it ran, `found` of
    those that another process finished meanwhile; `blocked` are the labels of jobs that a failure
    kept from running.
    """

    study: str
    trials: int = 0
    stored: set[str] = field(default_factory=set)
    done: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    failed: dict[str, Failed] = field(default_factory=dict)
    blocked: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Tell whether every trial has its scores."""
        return not self.failed and not self.blocked

    @property
    def nothing(self) -> bool:
        """Tell whether there was nothing to do."""
        return self.ok and not self.done and not self.found

    def lines(self) -> Iterator[str]:
        """Yield what the run did; a run that found everything stored says `nothing to do`."""
        trials = plural(self.trials, "trial")
        if self.nothing:
            yield f"nothing to do: {trials}, {plural(len(self.stored), 'job')} stored"
            return
        found = f", {len(self.found)} by another run" if self.found else ""
        done, stored = len(self.done), len(self.stored)
        yield f"{trials}: {plural(done, 'job')} done{found}, {stored} stored before"
        for failed in self.failed.values():
            yield f"failed: {failed.label}: {failed.reason}"
        if self.blocked:
            few = ", ".join(self.blocked[:3]) + (", ..." if len(self.blocked) > 3 else "")
            waits = "waits" if len(self.blocked) == 1 else "wait"
            yield f"{plural(len(self.blocked), 'job')} {waits} for what failed: {few}"
        if self.failed:
            yield "what failed is tried again by the next run"

    def __str__(self) -> str:
        """Return the lines as one text."""
        return "\n".join(self.lines())

    def record(self) -> dict[str, Any]:
        """Return the report as JSON: a count of what was stored, the keys of what was done."""
        return {
            "study": self.study,
            "trials": self.trials,
            "stored": len(self.stored),
            "done": self.done,
            "found": self.found,
            "failed": [
                {"label": each.label, "key": each.key, "reason": each.reason}
                for each in self.failed.values()
            ],
            "blocked": self.blocked,
        }
