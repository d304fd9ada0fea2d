"""Scheduling: what is shared is loaded once, the last job is not a long one alone, memory counts.

The workers are simulated: the real backend chooses and hands out, a virtual clock runs the jobs.
"""

import heapq
import itertools
import queue
import shutil
from collections import Counter, OrderedDict
from collections.abc import Callable

import pytest

from smalltune.backends import News, reads
from smalltune.backends.local import Local, machine, worker
from smalltune.core.job import Job
from smalltune.engine.memory import free_memory
from smalltune.planning.locking import lock_in_force
from smalltune.planning.planner import plan
from smalltune.runner import run
from smalltune.runner.estimates import Estimates
from smalltune.runner.queue import Queue

STUDY = """\
name: many
question: Which one?
models:
{models}
tasks:
{tasks}
methods:
{methods}
seeds: {seeds}
metrics: [accuracy]
"""
TASK = """\
  {name}:
    kind: classification
    files: {{train: {name}/train.csv, dev: {name}/dev.csv, test: {name}/test.csv}}
    labels: {{0: bad, 1: good}}
    prompt: "{{text}} was"
"""
LOAD = 2.0
"""Virtual seconds that loading a base takes."""


class Slot:
    """A worker that keeps two bases, as the bench of the stages does."""

    def __init__(self):
        self.jobs, self.held, self.todo = [], set(), []
        self.bases, self.tokens, self.made = OrderedDict(), set(), []

    def give(self, jobs):
        self.jobs += [job.key for job in jobs]
        self.todo += jobs
        self.held = self.held.union(*map(reads, jobs))

    def memory(self):
        return 0


class Simulated(Local):
    """The local backend with simulated workers; `seconds` says how long each job takes."""

    def __init__(self, store, workers: int, seconds: Callable[[Job], float]):
        super().__init__(store, workers=workers)
        self.store, self.seconds, self.now = store, seconds, 0.0
        self.counts: Counter[str] = Counter()
        self.log: list[tuple[float, float, Job]] = []
        self._running, self._number = [], itertools.count()

    def _start(self, number, *, warm=None):
        self._slots[number] = Slot()
        return self._slots[number]

    def submit(self, jobs):
        super().submit(jobs)
        for slot in self._slots:
            while slot and slot.todo:
                job = slot.todo.pop()
                end = self.now + self.seconds(job) + self.load(slot, job)
                self.log.append((self.now, end, job))
                heapq.heappush(self._running, (end, next(self._number), slot, job))

    def load(self, slot, job) -> float:
        """Count what a job has to load, and keep it; return the seconds that it takes."""
        model = job.spec.get("model")
        if model is None:
            return 0.0
        fresh = model not in slot.bases
        slot.bases[model] = slot.bases.pop(model, None)
        while len(slot.bases) > 2:
            slot.bases.popitem(last=False)
        tokens, weights = job.inputs["tokens"].key, job.inputs.get("weights")
        self.counts["bases"] += fresh
        self.counts["tokens"] += tokens not in slot.tokens
        slot.tokens.add(tokens)
        if weights:
            self.counts["asked"] += 1
            self.counts["asked where trained"] += weights.key in slot.made
        if job.stage == "train":
            slot.made.append(job.key)
        return LOAD * fresh

    def wait(self, seconds):
        if not self._running:
            return []
        self.now, _, slot, job = heapq.heappop(self._running)
        out = self.store.work(job)
        if job.stage == "train":
            (out / "weights").mkdir()
            (out / "weights" / "model.safetensors").write_bytes(b"w")
        self.store.commit(job, {"seconds": self.seconds(job), "peak_memory_bytes": 1})
        slot.jobs.remove(job.key)
        slot.held = {*slot.bases, *slot.tokens, *slot.made[-3:]}
        return [News("done", job.key)]

    def close(self):
        pass

    def starts(self, stage: str) -> list[str]:
        """Return the labels of a stage's jobs in the order in which they started."""
        return [job.label for _, _, job in self.log if job.stage == stage]

    def work(self) -> float:
        return sum(end - start for start, end, _ in self.log)


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Leave the disk its time: nothing here is about a power cut."""
    monkeypatch.setattr("smalltune.core.disk.sync", lambda path: None)
    monkeypatch.setattr("smalltune.core.store.sync", lambda path: None)


@pytest.fixture
def many(bureau):
    """Return the function that writes a study of so many models, tasks and methods."""

    def write(models=3, tasks=2, methods=3, seeds=6):
        for n in range(models):
            shutil.copytree(bureau.folder / "base", bureau.folder / f"base{n}")
            (bureau.folder / f"base{n}" / "tokenizer.json").write_text("{}" + " " * n)
        for n in range(tasks):
            shutil.copytree(bureau.folder / "data", bureau.folder / f"t{n}")
            (bureau.folder / f"t{n}" / "test.csv").write_text(f"text,label\na {n},0\nb {n},1\n")
        bureau.write(
            STUDY.format(
                models="\n".join(f"  m{n}: {{source: ./base{n}}}" for n in range(models)),
                tasks="".join(TASK.format(name=f"t{n}") for n in range(tasks)),
                methods="\n".join(
                    f"  way{n}: {{method: fake.trainer, rank: {n + 1}}}" for n in range(methods)
                ),
                seeds=seeds,
            )
        )
        return bureau

    return write


@pytest.fixture
def simulate(bureau, store):
    """Run the bureau's study on simulated workers; `trains` says how long a training takes."""

    def run_it(workers: int, trains: Callable[[str], float] = lambda label: 10.0, store=store):
        def seconds(job):
            usual = {"prepare": 1.0, "tokens": 1.0, "predict": 1.0}.get(job.stage, 0.01)
            return trains(job.label) if job.stage == "train" else usual

        backend, study = Simulated(store, workers, seconds), bureau.read()
        assert run(study, lock_in_force(study)[0], store, backend).ok
        return backend

    return run_it


def test_one_worker_loads_each_base_and_each_table_of_tokens_once(many, simulate):
    many(models=3, tasks=2, methods=3, seeds=6)
    done = simulate(1)
    assert len(done.starts("train")) == 108
    assert done.counts["bases"] == 3
    assert done.counts["tokens"] == 3 * 2


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_share_the_bases_out_among_them(many, simulate, workers):
    many(models=3, tasks=2, methods=3, seeds=6)
    done = simulate(workers)
    assert done.counts["bases"] <= 3 + workers - 1
    assert done.counts["tokens"] <= 3 * 2 + 2 * (workers - 1)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_what_was_trained_is_asked_at_once_on_the_same_worker(many, simulate, workers, store):
    many(models=2, tasks=2, methods=2, seeds=6)
    lying, drop = [], store.drop

    def count(key, names):
        lying.append(len(list(store.root.glob("artifacts/*/*/weights/*.safetensors"))))
        return drop(key, names)

    store.drop = count
    done = simulate(workers)
    asked = done.counts["asked"]
    assert asked == 2 * 48 and done.counts["asked where trained"] >= asked - 2 * workers
    assert max(lying) <= workers + 1


@pytest.mark.parametrize("workers", [2, 4])
def test_all_workers_are_busy_to_the_end_when_jobs_are_of_many_lengths(many, simulate, workers):
    many(models=4, tasks=2, methods=2, seeds=3)

    def trains(label):
        return 2.0 * 3 ** int(label.split()[1][1])

    done = simulate(workers, trains)
    longest = 2.0 * 3**3
    assert done.now < done.work() / workers + longest


def lengths(short: int, long: float) -> tuple[Queue, list[Job], Job]:
    """Return a queue of so many jobs of ten seconds on base A and a long one on base B."""
    few = [Job("train", 1, {"model": "A", "n": n}) for n in range(short)]
    last = Job("train", 1, {"model": "B"})
    jobs = {job.key: job for job in [*few, last]}
    return Queue(jobs, lambda job: long if job is last else 10.0), few, last


def test_a_worker_stays_with_its_base_while_short_work_can_fill_the_end():
    waiting, few, last = lengths(8, 40.0)
    offered = []
    while waiting.waiting:
        (job,) = waiting.candidates([{"A"}], [{"A"}], 2)
        offered.append(job)
        waiting.take(job.key)
    assert offered.index(last) == 4
    assert [job for job in offered if job is not last] == few


def test_a_worker_that_is_alone_stays_with_its_base():
    waiting, few, last = lengths(8, 40.0)
    assert waiting.candidates([{"A"}], [], 1) == few[:1]
    assert waiting.candidates([{"B"}], [], 1) == [last]


def test_weights_just_trained_are_asked_even_before_a_long_job():
    train = Job("train", 1, {"model": "A"})
    asked = Job("predict", 1, {"model": "A"}, {"weights": train})
    last = Job("train", 1, {"model": "B"})
    waiting = Queue({j.key: j for j in (asked, last)}, lambda job: 90.0 if job is last else 1.0)
    assert waiting.candidates([{"A", train.key}], [set()], 2) == [asked, last]
    assert waiting.candidates([{"A"}], [set()], 2) == [last]


def test_what_others_wait_for_and_what_is_done_in_a_moment_go_first():
    data = Job("prepare", 1, {})
    trains = [Job("train", 1, {"model": "A"}, {"data": data}), Job("train", 1, {"model": "B"})]
    score = Job("score", 1, {})
    times = {"prepare": 5.0, "train": 50.0, "score": 0.1}
    waiting = Queue({j.key: j for j in (score, data, *trains)}, lambda job: times[job.stage])
    found = []
    for _ in range(3):
        found.append(waiting.candidates([set()], [], 1)[0].stage)
        waiting.take(next(k for k, j in waiting.waiting.items() if j.stage == found[-1]))
    assert found == ["prepare", "score", "train"]


def test_a_job_that_is_set_aside_is_offered_again_only_when_one_looks_again():
    waiting, few, _ = lengths(2, 1.0)
    waiting.set_aside(few[0].key)
    assert few[0] not in waiting.candidates([{"A"}], [], 1)
    assert waiting.candidates([{"A"}], [], 1) == [few[1]]
    waiting.look_again()
    assert waiting.candidates([{"A"}], [], 1) == [few[0]]


def test_a_long_job_that_is_known_from_another_seed_does_not_start_last(many, simulate, bureau):
    many(models=1, tasks=1, methods=6, seeds=1)

    def trains(label):
        return 100.0 if "way5" in label else 20.0

    simulate(2, trains)
    bureau.replace("seeds: 1", "seeds: 2")
    done = simulate(2, trains)
    assert "way5" in done.starts("train")[0]
    assert done.now < 5 * (20.0 + 2.0) + LOAD + 1.0


def test_a_larger_base_is_taken_for_a_longer_job_before_anything_is_measured(many, simulate):
    bureau = many(models=2, tasks=1, methods=2, seeds=1)
    header = (bureau.folder / "base" / "model.safetensors").read_bytes()
    assert header
    bureau.base({"a": [1000, 1000]})
    (bureau.folder / "t0" / "train.csv").write_text("text,label\n" + f"{'word ' * 99},0\n" * 999)
    shutil.copy(bureau.folder / "base" / "model.safetensors", bureau.folder / "base1")
    done = simulate(1)
    assert [label.split("/")[0] for label in done.starts("train")] == ["train m1"] * 2 + [
        "train m0"
    ] * 2


def test_nothing_about_the_order_is_in_a_key(many, simulate, tmp_path):
    from smalltune.core.store import Store

    many(models=2, tasks=1, methods=2, seeds=2)
    one, four = Store(tmp_path / "one"), Store(tmp_path / "four")
    simulate(1, store=one)
    simulate(4, store=four)
    assert set(one.keys()) == set(four.keys())


# How many workers


@pytest.fixture
def computer(monkeypatch):
    """Let this machine have eight cores and so much free memory."""

    def set_to(free):
        monkeypatch.setattr("smalltune.backends.local.cores", lambda: 8)
        monkeypatch.setattr("smalltune.backends.local.free_memory", lambda: free)
        monkeypatch.setattr("smalltune.backends.local.gpus", lambda: [])

    return set_to


def job(**spec) -> Job:
    return Job("train", 1, spec)


def test_as_many_workers_as_the_largest_missing_job_leaves_memory_for(computer, store):
    computer(10_000_000_000)
    backend = Local(store)
    assert backend.workers == 8
    backend.expect([job()], 2_500_000_000)
    assert backend.workers == 3 and backend.room == 3
    backend.expect([job()], 100_000_000_000)
    assert backend.workers == 1
    backend.expect([job()], 1_000_000)
    assert backend.workers == backend.room == 8


def test_a_number_of_workers_that_was_asked_for_stands(computer, store):
    computer(1_000_000_000)
    backend = Local(store, workers=5)
    backend.expect([job()], 10**12)
    assert backend.workers == 5


def test_there_is_one_worker_for_each_gpu(computer, store, monkeypatch):
    computer(10**12)
    monkeypatch.setattr("smalltune.backends.local.gpus", lambda: ["0", "1"])
    assert Local(store).workers == 2


def test_a_base_that_no_missing_job_reads_takes_no_memory(go, here, bureau, store):
    heard = []
    here.expect = lambda jobs, largest: heard.append((len(jobs), largest))
    go()
    go("metrics=[accuracy, macro_f1]")
    (first, large), (second, small) = heard
    assert (first, second) == (20, 8)
    assert small <= large


def test_memory_is_as_measured_on_a_job_of_the_kind_and_else_by_parameters(bureau, store):
    study = bureau.read()
    lock = lock_in_force(study)[0]
    trains = [j for j in plan(study, lock).jobs() if j.stage == "train"]
    guessed = Estimates(lock, store)
    guessed.parameters = dict.fromkeys(guessed.parameters, 10**9)
    assert guessed.bytes(trains[0]) > 5 * 10**9
    store.work(trains[0])
    store.commit(trains[0], {"seconds": 3.0, "peak_memory_bytes": 10**8})
    assert guessed.learn([trains[0]])
    assert 10**8 < guessed.bytes(trains[1]) < 2 * 10**8
    assert guessed.seconds(trains[1]) == pytest.approx(3.0)


def test_a_base_that_is_held_in_half_the_memory_is_not_taken_for_a_whole_one(bureau, store):
    """Of its own kind nothing is known yet: what a job with the whole base took is no guide."""
    study = bureau.replace("fake.trainer", "lora").read()
    lock = lock_in_force(study)[0]
    found = {}
    for held in ("float32", "bfloat16"):
        jobs = plan(bureau.read(f"base_dtype={held}"), lock).jobs()
        found[held] = [j for j in jobs if j.stage == "train"]
    guessed = Estimates(lock, store)
    guessed.parameters = dict.fromkeys(guessed.parameters, 10**9)
    store.work(found["float32"][0])
    store.commit(found["float32"][0], {"seconds": 3.0, "peak_memory_bytes": 10**10})
    assert guessed.learn(found["float32"][:1])
    assert guessed.bytes(found["float32"][1]) > 10**10
    assert 2 * 10**9 < guessed.bytes(found["bfloat16"][1]) < 5 * 10**9


def test_a_damaged_record_of_what_a_job_took_stops_no_run(go, here, store, bureau):
    go()
    for path in store.root.glob("artifacts/*/*/provenance.json"):
        path.write_text("{")
    assert go("seeds=3").ok


GIB = 1 << 30


def group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(str(text))


def test_a_container_s_limits_count_also_those_set_above_it(tmp_path):
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/box/job\n")
    group(root / "box", memory__max=2 * GIB, memory__current=GIB, cpu__max="150000 100000")
    group(root / "box" / "job", memory__max="max", memory__current=GIB, cpu__max="max 100000")
    stat = f"anon 1\nactive_file {GIB // 4}\ninactive_file {GIB // 4}\nslab 7\n"
    group(root / "box", memory__stat=stat)
    assert machine.cores(root, own) == 1
    assert free_memory(root, own) == GIB + GIB // 2


def test_control_groups_of_the_first_version_count_too(tmp_path):
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("4:memory:/box\n3:cpu,cpuacct:/box\n")
    group(
        root / "memory" / "box",
        memory__limit_in_bytes=2 * GIB,
        memory__usage_in_bytes=GIB,
        memory__stat="active_file 1\ntotal_active_file 5\ntotal_inactive_file 6\n",
    )
    group(root / "cpu,cpuacct" / "box", cpu__cfs_quota_us=100000, cpu__cfs_period_us=100000)
    assert free_memory(root, own) == GIB + 11
    assert machine.cores(root, own) == 1


def test_without_limits_the_whole_machine_counts(tmp_path):
    root, own = tmp_path / "cgroup", tmp_path / "own"
    own.write_text("0::/\n")
    group(root, memory__max="max", cpu__max="max 100000")
    nothing = tmp_path / "none"
    assert machine.cores(root, own) == machine.cores(nothing, nothing) >= 1
    assert free_memory(root, own) > 0


# Starting early


def test_workers_start_before_their_first_job_only_when_models_will_keep_them_busy(store):
    backend = Local(store, workers=2)
    try:
        backend.expect([Job("score", 1, {"n": n}) for n in range(9)], 1)
        assert backend.processes == []
        backend.expect([job(model="a", seed=0)], 1)
        assert backend.processes == []
        backend.expect([job(model="a", seed=n) for n in range(9)], 1)
        assert len(backend.processes) == 2
    finally:
        backend.close()


def test_a_worker_is_told_what_the_methods_to_come_import(store, monkeypatch):
    warmed = []
    monkeypatch.setattr(Local, "_start", lambda self, number, *, warm: warmed.append(warm))
    whole = [job(model="a", seed=n) for n in range(2)]
    thin = [Job("train", 1, {**each.spec, "method": {"name": "lora"}}) for each in whole]
    full = [Job("train", 1, {**each.spec, "method": {"name": "full"}}) for each in whole]
    for jobs in (full, thin):
        Local(store, workers=1).expect(jobs, 1)
    assert warmed == [[], ["peft"]]


def test_an_idle_worker_imports_and_a_job_that_waits_goes_first(monkeypatch):
    imported = []
    monkeypatch.setattr(worker, "PAUSE", 0.001)
    monkeypatch.setattr(worker.importlib, "import_module", imported.append)
    jobs, cold = queue.Queue(), ["first", "second"]
    jobs.put(["a job"])
    assert worker._next(jobs, cold) == ["a job"]
    assert imported == []
    monkeypatch.setattr(
        worker.importlib, "import_module", lambda name: (imported.append(name), jobs.put([name]))
    )
    assert worker._next(jobs, cold) == ["first"]
    assert worker._next(jobs, cold) == ["second"]
    assert imported == ["first", "second"] and cold == []
