"""Queue: the jobs that still have to run, and which of those that can start should be next.

Three rules, in this order. What others wait for, or what is done in a moment, starts at once. A
worker goes on with what it holds: it asks the weights that it has just trained, then takes the
same base and tokens. But only while enough short work remains to keep the others busy beside the
longest job; from then on the longest path goes first (Graham, 1969), so that the last job is not
a long one alone.

A worker that holds nothing of use takes up the base with the most work for each worker on it.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set

from smalltune.backends import base_of, reads
from smalltune.core.job import Job

__all__ = ["Queue"]

MOMENT = 1.0
"""Seconds within which a job is done in a moment."""

LONGER = 1.1
"""By what factor a path must be longer than another to count as longer: times are estimates."""

CHAIN = ("weights", "predictions")
"""What a job follows by these names is soon followed by it."""

Entry = tuple[float, int, str]


class Queue:
    """Missing jobs; each can start once its inputs are done. No step looks at all of them.

    `waiting` are those that have not started, by key, inputs first.
    """

    def __init__(
        self, jobs: Mapping[str, Job], seconds: Callable[[Job], float], out: Collection[str] = ()
    ):
        """Take what must be stored, inputs first; jobs that are `out` run already or failed."""
        self.waiting = {key: job for key, job in jobs.items() if key not in out}
        self._order = {key: n for n, key in enumerate(self.waiting)}
        self._seconds = {key: seconds(job) for key, job in self.waiting.items()}
        self._inputs: dict[str, set[str]] = {}
        self._readers: dict[str, list[str]] = defaultdict(list)
        self._link({*jobs, *out})
        self._path = self._paths()
        self._class = self._classes()
        self._work: dict[str | int, float] = defaultdict(float)
        for key in self.waiting:
            self._count(key, 1)
        self._ready: dict[str, Job] = {}
        self._heaps: dict[str, list[Entry]] = defaultdict(list)
        self._aside: dict[str, list[tuple[str, Entry]]] = {}
        for key in self.waiting:
            if not self._inputs[key]:
                self._offer(key)

    def candidates(
        self, idle: Sequence[Set[str]], busy: Sequence[Set[str]], workers: int
    ) -> list[Job]:
        """Return a few jobs that can start now, best first; [] when none can.

        `idle` and `busy` are the content keys that workers with and without room hold.
        """
        first, longest = self._top("first"), self._top("all")
        if longest is None:
            return []
        held: set[str] = set().union(*idle)
        at_hand = self._at_hand(held)
        if not at_hand:
            found = [first, self._untouched(busy), longest]
        elif self._presses(longest, at_hand[0], workers):
            found = [first, *(job for job in at_hand if _follows(job, held)), longest]
        else:
            found = [first, *at_hand]
        return list({job.key: job for job in found if job}.values())

    def take(self, key: str) -> None:
        """Note that a job starts."""
        self._count(key, -1)
        del self.waiting[key]
        self._ready.pop(key, None)

    def done(self, key: str) -> None:
        """Note that a job's answer is stored, whoever made it."""
        if key in self.waiting:
            self.take(key)
        for reader in self._readers.pop(key, ()):
            self._inputs[reader].discard(key)
            if not self._inputs[reader] and reader in self.waiting:
                self._offer(reader)

    def set_aside(self, key: str) -> None:
        """Offer a job no more until `look_again`."""
        self._aside.setdefault(key, [])

    def look_again(self) -> None:
        """Offer again what was set aside."""
        for passed in self._aside.values():
            for name, entry in passed:
                heapq.heappush(self._heaps[name], entry)
        self._aside.clear()

    def _link(self, unfinished: Set[str]) -> None:
        for key, job in self.waiting.items():
            self._inputs[key] = {n.key for n in job.inputs.values() if n.key in unfinished}
            for needed in self._inputs[key]:
                self._readers[needed].append(key)

    def _paths(self) -> dict[str, float]:
        """Return the seconds from each job's start to the end of the longest chain behind it."""
        path: dict[str, float] = {}
        for key in reversed(self.waiting):
            behind = max((path[reader] for reader in self._readers.get(key, ())), default=0.0)
            path[key] = self._seconds[key] + behind
        return path

    def _classes(self) -> dict[str, int]:
        """Return each job's class of length: of its path, or of the training that it follows."""
        found: dict[str, int] = {}
        for key, job in self.waiting.items():
            chain = (job.inputs[name].key for name in CHAIN if name in job.inputs)
            follows = next((needed for needed in chain if needed in found), None)
            found[key] = found[follows] if follows else _length(self._path[key])
        return found

    def _count(self, key: str, sign: int) -> None:
        """Add a job to the work on its base and of its length, or take it away."""
        for name in (base_of(self.waiting[key]), self._class[key]):
            self._work[name] += sign * self._seconds[key]

    def _offer(self, key: str) -> None:
        """Enter a job whose inputs are there under each thing that it may be looked up by."""
        job, path, own = self.waiting[key], self._path[key], self._seconds[key]
        wanted = reads(job)
        names = ["all", *wanted]
        if not wanted and (own <= MOMENT or path > 2 * own):
            names.append("first")
        self._ready[key] = job
        for name in names:
            heapq.heappush(self._heaps[name], (-path, self._order[key], key))

    def _top(self, name: str) -> Job | None:
        """Return the ready job with the longest path of those entered under a name."""
        heap = self._heaps.get(name, [])
        while heap:
            key = heap[0][2]
            if key in self._aside:
                self._aside[key].append((name, heapq.heappop(heap)))
            elif key in self._ready:
                return self._ready[key]
            else:
                heapq.heappop(heap)
        return None

    def _at_hand(self, held: Set[str]) -> list[Job]:
        """Return jobs whose base or weights are held, longest path first."""
        tops = (self._top(name) for name in held if name in self._heaps)
        found = [job for job in tops if job and (base_of(job) in held or _follows(job, held))]
        return sorted(found, key=lambda job: (-self._path[job.key], self._order[job.key]))

    def _untouched(self, busy: Sequence[Set[str]]) -> Job | None:
        """Return a job on the base with the most work left for each worker that holds it."""
        shares = {
            base: work / (1 + sum(base in held for held in busy))
            for base, work in self._work.items()
            if base and isinstance(base, str) and self._top(base)
        }
        return self._top(max(shares, key=lambda base: shares[base])) if shares else None

    def _presses(self, longest: Job, at_hand: Job, workers: int) -> bool:
        """Tell whether the longest path must start before the job at hand.

        It must when less shorter work is left than keeps all other workers busy beside it.
        """
        path = self._path[longest.key]
        if path <= LONGER * self._path[at_hand.key]:
            return False
        own = _length(path)
        shorter = sum(work for c, work in self._work.items() if isinstance(c, int) and c < own)
        return shorter < (workers - 1) * path + self._seconds[at_hand.key]


def _length(seconds: float) -> int:
    """Return the class of a length; those of one class count as equally long."""
    return math.floor(math.log(max(seconds, MOMENT)) / math.log(LONGER))


def _follows(job: Job, held: Set[str]) -> bool:
    """Tell whether a job reads weights that are held."""
    return "weights" in job.inputs and job.inputs["weights"].key in held
