"""A store of small artifacts, made without any stage."""

import json

import pytest

from smalltune.core.job import Job
from smalltune.core.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def make(store, number):
    """Store an answer with a JSON file, rows and weights; return its job."""
    job = Job("train", 1, {"number": number}, label=f"job {number}")
    out = store.work(job)
    (out / "facts.json").write_text(json.dumps({"steps": number}))
    (out / "log.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    (out / "model.safetensors").write_bytes(bytes([number]) * 20_000)
    store.commit(job, {"seconds": 1.0})
    return job


@pytest.fixture
def jobs(store):
    return [make(store, number) for number in range(6)]
