"""One pass over a plan: each missing job once, in an order that its inputs allow."""

from collections import Counter
from collections.abc import Callable

from smalltune.backends import Backend, News
from smalltune.core.claims import Claim, claim
from smalltune.core.errors import StoreError
from smalltune.core.job import HEAVY, Job, Plan
from smalltune.core.store import Store
from smalltune.runner.estimates import Estimates
from smalltune.runner.missing import Weights, goals, missing
from smalltune.runner.queue import Queue
from smalltune.runner.reports import Event, Failed, Report

__all__ = ["Pass"]

POLL = 0.25
"""Seconds between two looks at a job that another process runs."""

REORDER = 0.05
"""The share of the waiting jobs that must have ended before they are put in order anew."""

TRIES = 3
"""How often a job starts whose input another run has dropped before it was read."""


class Pass:
    """Runs a plan's missing jobs on a backend and notes in `report` what became of them.

    A job is claimed before it starts. When another process holds the claim, this one waits and
    takes that one's answer, or runs the job itself when the other has given up.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        backend: Backend,
        report: Report,
        tell: Callable[[Event], None],
        estimates: Estimates,
        *,
        keep_weights: bool,
        until: str | None = None,
    ):
        """Take the plan; with `until`, only as far as that stage."""
        self.plan, self.store, self.backend = plan, store, backend
        self.report, self.tell, self.estimates = report, tell, estimates
        self.keep_weights, self.until = keep_weights, until
        self.weights = Weights(plan, store, keep_weights)
        self.queue = Queue({}, estimates.seconds)
        self.running: dict[str, tuple[Job, Claim]] = {}
        self.elsewhere: set[str] = set()
        self.told: set[str] = set()
        self.again: set[str] = set()
        self.starts: Counter[str] = Counter()
        self.learned, self.since = False, 0

    def go(self, ready: Callable[[], object] = lambda: None) -> None:
        """Run until nothing is left that can run; `ready` ends before the first job starts."""
        stored = self._begin()
        ready()  # meanwhile workers start
        self._tell_plan(stored)
        try:
            self._start()
            while self.running or self.elsewhere:
                for news in self.backend.wait(POLL if self.elsewhere else 1.0):
                    self._hear(news)
                self._start()
        except BaseException:
            self.backend.close()  # before the claims go, so that nothing runs unclaimed
            raise
        finally:
            for _, held in self.running.values():
                held.release()
        self.weights.drop()
        self.report.blocked = [job.label for job in self.queue.waiting.values()]

    def _begin(self) -> int:
        """Find out what is missing and tell the backend; return how many jobs are stored."""
        stored = [job for job in self.plan.jobs() if self.store.known(job.key)]
        ended = {*self.report.done, *self.report.found}
        self.report.stored |= {job.key for job in stored} - ended
        self.estimates.learn(stored)
        self._look()
        coming = list(self.queue.waiting.values())
        self.backend.expect(coming, max(map(self.estimates.bytes, coming), default=0))
        return len(stored)

    def _tell_plan(self, stored: int) -> None:
        """Tell the caller what is to come."""
        info = {
            "missing": list(self.queue.waiting.values()),
            "stored": stored,
            "trials": len(self.plan.trials),
            "workers": self.backend.workers,
        }
        self.tell(Event("plan", info=info))

    def _look(self) -> None:
        """Find out from the store what is missing now."""
        keep = self.keep_weights
        wanted = missing(
            goals(self.plan, keep_weights=keep, until=self.until), self.store, keep_weights=keep
        )
        gone = {*self.running, *self.report.failed}
        self.queue = Queue(wanted, self.estimates.seconds, gone)
        self.again = {key for key in self.queue.waiting if self.store.known(key)}
        self.elsewhere.clear()

    def _start(self) -> None:
        """Start what there is room for."""
        self.elsewhere.clear()
        self._reorder()
        while self.backend.room > 0:
            idle, busy = self.backend.idle, self.backend.busy
            ready = self.queue.candidates(idle, busy, self.backend.workers)
            if not ready:
                return
            job = self.backend.choose(ready)
            held = claim(self.store, job.key)
            if held is None:
                self._wait_for(job)
            elif self._made_meanwhile(job):
                held.release()
            else:
                self.queue.take(job.key)
                self.running[job.key] = (job, held)
                self.starts[job.key] += 1
                self.tell(Event("start", job))
                self.backend.submit([job])

    def _reorder(self) -> None:
        """Offer again what ran elsewhere; put all in order anew when estimates have become better.

        That looks at every waiting job, so only so often that a job's share of it stays the same.
        """
        if self.learned and self.since > len(self.queue.waiting) * REORDER:
            out = {*self.running, *self.report.failed}
            self.queue = Queue(self.queue.waiting, self.estimates.seconds, out)
            self.learned, self.since = False, 0
        self.queue.look_again()

    def _wait_for(self, job: Job) -> None:
        self.queue.set_aside(job.key)
        self.elsewhere.add(job.key)
        if job.key not in self.told:
            self.told.add(job.key)
            self.tell(Event("elsewhere", job))

    def _made_meanwhile(self, job: Job) -> bool:
        """Tell whether another process has stored a job since we looked; if so, note it."""
        remade = job.key in self.again
        if not (self.store.has(job.key) if remade else self.store.known(job.key)):
            return False
        self.report.found.append(job.key)
        self.tell(Event("found", job))
        if self.store.has(job.key) or self.weights.read(job.key):
            self.queue.done(job.key)
        else:
            self._look()  # dropped by a run that did not know what else reads it
        return True

    def _hear(self, news: News) -> None:
        job, held = self.running[news.key]
        if news.kind == "progress":
            self.tell(Event("progress", job, news.info))
            return
        del self.running[news.key]
        if news.kind == "done":
            self.report.done.append(job.key)
            self.queue.done(job.key)
            self.learned = self.estimates.learn([job]) or self.learned
            self.since += 1
            self.weights.drop(needed.key for needed in job.inputs.values() if needed.stage in HEAVY)
            held.release()
            self.tell(Event("done", job, news.info))
            return
        held.release()
        if news.info.get("fatal"):
            raise StoreError(str(news.info["reason"]))
        lost = any(not self.store.has(needed.key) for needed in job.inputs.values())
        if lost and self.starts[job.key] < TRIES:
            self._look()
            return
        self._fail(job, str(news.info["reason"]), str(news.info.get("details", "")))

    def _fail(self, job: Job, reason: str, details: str) -> None:
        self.report.failed[job.key] = Failed(job.label, job.key, reason, details)
        self.tell(Event("failed", job, {"reason": reason}))
        self.store.write_failure(job, reason, details)
