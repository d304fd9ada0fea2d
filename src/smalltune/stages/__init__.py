"""Stages: the steps of a trial, one file and one pure function each.

The call is `stage(spec, inputs, out, bench)`. A stage reads its spec, the folders of its inputs
and the files of its sources, and writes to `out`. It reads no clock, no environment variable, no
global state; its randomness comes from its spec. The bench lends what is costly to make and says
how to compute; it never changes an answer.

The module of a stage may say `VERSION`, which is part of the key, and `OPENS`: the name under which
its spec has the split whose right answers it reads. The store records that (`core/openings.py`).
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from smalltune.core import openings
from smalltune.core.job import Job
from smalltune.core.plugins import load
from smalltune.core.provenance import Meter
from smalltune.core.store import Store, disk_errors
from smalltune.stages.bench import Bench, Inputs

__all__ = ["Bench", "Inputs", "Stage", "execute"]

Stage = Callable[[Mapping[str, Any], Inputs, Any, Bench], Mapping[str, Any] | None]


def execute(
    job: Job, store: Store, bench: Bench, progress: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Run one job and commit its artifact; a job that is stored is not run again.

    What a stage returns goes into the provenance, beside times and memory. A stage that reads right
    answers is recorded before it does.
    """
    if store.has(job.key):
        return
    stage: Stage = load("smalltune.stages", job.stage)
    if opens := getattr(sys.modules[stage.__module__], "OPENS", None):
        openings.note(store, job, job.spec[opens])
    inputs = Inputs(
        {name: store.path(needed.key) for name, needed in job.inputs.items()},
        {name: needed.key for name, needed in job.inputs.items()},
        dict(job.sources),
    )
    meter = Meter()
    bench.start(meter, progress)
    meter.phase("setup")
    out = store.work(job)
    with disk_errors(out):
        more = stage(job.spec, inputs, out, bench) or {}
    meter.phase("store")
    store.commit(job, meter.record(device=bench.device, threads=bench.threads, **more))
