"""A small study on fake plug-ins, a base that is never loaded, and a backend without processes."""

import json
import textwrap
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pytest

from smalltune.backends import Backend, News
from smalltune.core.job import HEAVY, Job
from smalltune.core.store import Store
from smalltune.planning.locking import lock_in_force
from smalltune.planning.planner import plan
from smalltune.planning.reading import read_study
from smalltune.planning.status import choices

STUDY = """\
name: little
question: Which one?
models:
  tiny: {source: ./base, why: It is small.}
tasks:
  own:
    kind: classification
    files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}
    labels: {0: bad, 1: good}
    prompt: "{text} was"
    why: It is short.
methods:
  floor: {method: fake.reader, why: To have a floor.}
  asked: {method: fake.asker, why: To ask.}
  tuned: {method: fake.trainer, why: To train.}
training: {epochs: 2}
seeds: 2
contrasts: ["tuned - asked"]
metrics: [accuracy, nll]
"""


@pytest.fixture(autouse=True)
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `fake.trainer` and the like be found."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "plugins"))


def write_base(folder: Path, tensors: dict[str, list[int]] | None = None) -> None:
    """Write a folder that looks like a model, without any library."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4,
        "vocab_size": 8, "max_position_embeddings": 64, "num_hidden_layers": 1,
        "tie_word_embeddings": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text("{}")
    header, end = {}, 0
    for name, shape in (tensors or {"a": [8, 4], "b": [4]}).items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(end))


class Bureau:
    """A folder with a study file that tests rewrite."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.text = STUDY
        write_base(folder / "base")
        (folder / "data").mkdir(parents=True)
        for role in ("train", "dev", "test"):
            (folder / "data" / f"{role}.csv").write_text(
                f"text,label\n{role} one,0\n{role} two,1\n"
            )

    @property
    def file(self) -> Path:
        return self.folder / "study.yaml"

    def base(self, tensors: dict[str, list[int]]) -> None:
        write_base(self.folder / "base", tensors)

    def write(self, text: str) -> "Bureau":
        self.text = textwrap.dedent(text)
        return self

    def replace(self, old: str, new: str) -> "Bureau":
        assert old in self.text, old
        self.text = self.text.replace(old, new)
        return self

    def read(self, *changes: str):
        self.file.write_text(self.text)
        return read_study(self.file, changes)

    def plan(self, *changes: str, known=lambda key: None):
        study = self.read(*changes)
        lock, _ = lock_in_force(study)
        return plan(study, lock, known)

    def keys(self, *changes: str) -> set[str]:
        return {job.key for job in self.plan(*changes).jobs()}


@pytest.fixture
def bureau(tmp_path: Path) -> Bureau:
    return Bureau(tmp_path / "little")


class Here(Backend):
    """Runs jobs in this process: writes files that look like the stages' and commits them.

    `broken` holds words; a job whose label has one of them fails. `losses` maps a learning rate to
    the score that its predictions get.
    """

    def __init__(self, store: Store, workers: int = 2):
        self.store, self.workers = store, workers
        self.queue: deque[Job] = deque()
        self.ran: list[Job] = []
        self.broken: list[str] = []
        self.before = lambda job: None
        self.value = lambda job: 0.5
        self.closed = False

    @property
    def room(self) -> int:
        return self.workers - len(self.queue)

    def submit(self, jobs: Sequence[Job]) -> None:
        self.queue.extend(jobs)

    def wait(self, seconds: float) -> list[News]:
        if not self.queue:
            return []
        job = self.queue.popleft()
        self.before(job)
        for needed in job.inputs.values():
            if not self.store.has(needed.key):
                return [News("failed", job.key, {"reason": f"no {needed.stage}"})]
        if any(word in job.label for word in self.broken):
            return [News("failed", job.key, {"reason": "it is broken"})]
        self.ran.append(job)
        self.make(job)
        return [News("progress", job.key, {"step": 1, "steps": 1}), News("done", job.key)]

    def make(self, job: Job) -> None:
        make(self.store, job, self.value(job))

    def close(self) -> None:
        self.closed = True

    def stages(self) -> list[str]:
        """Return the stages that ran, sorted, and forget them."""
        ran, self.ran = sorted(job.stage for job in self.ran), []
        return ran


def make(store: Store, job: Job, value: float = 0.5) -> None:
    """Store an answer to a job."""
    out = store.work(job)
    if job.stage in HEAVY:
        folder = out / HEAVY[job.stage]
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(b"w" * 100)
    elif job.stage == "select":
        values = [
            store.read_json(job.inputs[str(n)].key, "facts.json")["values"][job.spec["metric"]]
            for n in range(len(job.spec["candidates"]))
        ]
        best = max(range(len(values)), key=values.__getitem__)
        choice = {"index": best, "options": job.spec["candidates"][best], "values": values}
        (out / "choice.json").write_text(json.dumps(choice))
    elif job.stage == "score":
        values = {name: value for name in job.spec["metrics"]}
        (out / "facts.json").write_text(json.dumps({"values": values}))
    store.commit(job, {"seconds": 1.0})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def here(store: Store) -> Here:
    return Here(store)


@pytest.fixture
def go(bureau: Bureau, store: Store, here: Here):
    """Run the bureau's study here; return the report."""
    from smalltune.runner import run

    def run_it(*changes: str, tell=lambda event: None, **options):
        study = bureau.read(*changes)
        lock, _ = lock_in_force(study)
        return run(study, lock, store, here, tell, **options)

    return run_it


@pytest.fixture
def known(store: Store):
    return choices(store)
