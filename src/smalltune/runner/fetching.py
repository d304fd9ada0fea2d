"""Fetching: what missing jobs need of the hub is in its cache before the first of them starts.

One process asks the network, before the work; the workers only read the cache. What no missing
job reads is not fetched, so a study whose answers are stored needs neither cache nor network.
"""

from collections.abc import Callable, Iterable, Mapping

from smalltune.core.job import Job
from smalltune.hub import fetch_file, fetch_model
from smalltune.models.sources import hub_file
from smalltune.planning.lock import Lock

__all__ = ["fetch"]


def fetch(jobs: Iterable[Job], lock: Lock, tell: Callable[[str], None]) -> None:
    """Fetch what these jobs read of the hub, held against the lock; `tell` hears each download.

    Raises ModelError or DataError when something cannot be had or is not what was locked.
    """
    digests = {
        file.path: file.sha256
        for task in lock.tasks.values()
        for files in task.files.values()
        for file in files
    }
    models = {model.ref: model.files for model in lock.models.values()}
    for ref, weights in _needed(jobs).items():
        if ref in models:
            name, _, commit = ref.removeprefix("hub:").partition("@")
            fetch_model(name, commit, _part(models[ref], weights=weights), tell)
        else:
            fetch_file(*hub_file(ref), digests[ref], tell)


def _needed(jobs: Iterable[Job]) -> dict[str, bool]:
    """Return the references to the hub, and for each whether a job reads weights of it."""
    needed: dict[str, bool] = {}
    for job in jobs:
        for ref in job.sources.values():
            if ref.startswith("hub:"):
                needed[ref] = needed.get(ref, False) or job.stage != "tokens"
    return needed


def _part(files: Mapping[str, str], *, weights: bool) -> dict[str, str]:
    """Return all files of a model, or those that its tokeniser needs."""
    return {name: d for name, d in files.items() if weights or not name.endswith(".safetensors")}
