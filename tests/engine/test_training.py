import json
import shutil

import numpy as np
import pytest
import torch

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.engine import accumulation, checkpoint, memory
from smalltune.engine.batching import ORDERS
from smalltune.engine.checkpoint import NAME, Pace
from smalltune.engine.forward import loss_and_tokens
from smalltune.engine.optimisers import OPTIMISERS
from smalltune.engine.prefixes import Prefix
from smalltune.engine.schedule import SCHEDULES, rate
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train
from smalltune.models.loading import fingerprint, load_model


class Killed(Exception):
    pass


def data(n=64, seed=3, longest=13):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(12, longest, size=n)
    return Segments.of([rng.integers(1, 200, size=size) for size in sizes], [6] * n, [0] * n)


def whole(model):
    model.requires_grad_(True)


def adapted(model):
    load("smalltune.methods", "lora")(dropout=0.3).attach(model)


def run(folder, work, *, kill_at=(), seed=0, attach=whole, rows=None, bench=None, **options):
    """Train a fresh copy of the model; start again after each kill, as a user would."""
    kills = list(kill_at)
    events = []
    rows = data() if rows is None else rows

    def progress(event):
        events.append(event)
        if kills and event["event"] == "step" and event["step"] == kills[0]:
            kills.pop(0)
            raise Killed

    while True:
        model = load_model(folder)
        torch.manual_seed(seed)
        attach(model)
        try:
            log, facts = train(
                model,
                rows,
                data(16, seed=4),
                Training(**{"epochs": 3, "batch_size": 8, **options}),
                seed=seed,
                dtype="float32",
                work=work,
                progress=progress,
                **{"checkpoint_seconds": 0.0, **(bench or {})},
            )
        except Killed:
            continue
        return fingerprint(model), log, facts, events


def dropout_config(folder, target):
    """The same model with attention dropout, so that the step decides what is dropped."""
    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    config["attention_dropout"] = 0.3
    (target / "config.json").write_text(json.dumps(config))
    return target


def works(tmp_path, names):
    for name in names:
        (tmp_path / name).mkdir()
    return [tmp_path / name for name in names]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_killed_training_ends_in_the_same_bits(tiny_folder, tmp_path, optimiser):
    folder = dropout_config(tiny_folder, tmp_path / "model")
    one, other = works(tmp_path, "ab")
    whole, log, _, _ = run(folder, one, optimiser=optimiser)
    pieces, again, facts, _ = run(folder, other, kill_at=(3, 11, 20), optimiser=optimiser)
    assert (whole, log) == (pieces, again)
    assert facts["resumed_from"] == [2, 10, 19]
    assert all(facts["spent"]["earlier"][name] > 0 for name in ("train", "cpu"))


@pytest.mark.parametrize("batches", ORDERS)
def test_packed_and_cut_up_a_killed_training_ends_in_the_same_bits(tiny_folder, tmp_path, batches):
    one, other = works(tmp_path, "ab")
    options = {"attach": adapted, "rows": data(longest=60), "batches": batches}
    bench = {"micro_batch": 90}
    whole, log, facts, _ = run(tiny_folder, one, bench=bench, **options)
    pieces, again, _, _ = run(tiny_folder, other, kill_at=(5, 17), bench=bench, **options)
    assert (whole, log) == (pieces, again)
    assert facts["spent"]["micro_batch"]["tokens"] == 90


def test_a_budget_that_was_found_survives_a_kill(tiny_folder, tmp_path, monkeypatch):
    """The second attempt does not run out of memory again, and ends in the same bits."""

    def loss(model, packed, *, total):
        if len(packed.ids) > 120:
            raise torch.OutOfMemoryError
        return loss_and_tokens(model, packed, total=total)

    monkeypatch.setattr(accumulation, "loss_and_tokens", loss)
    one, other = works(tmp_path, "ab")
    options = {"attach": adapted, "rows": data(longest=60), "bench": {"micro_batch": 1000}}
    whole, log, facts, events = run(tiny_folder, one, **options)
    pieces, again, resumed, more = run(tiny_folder, other, kill_at=(9,), **options)
    assert (whole, log) == (pieces, again)
    assert facts["spent"]["micro_batch"] == resumed["spent"]["micro_batch"]
    assert facts["spent"]["micro_batch"]["halved"] > 0
    said = [[e["said"] for e in each if e["event"] == "memory"] for each in (events, more)]
    assert said[0] == said[1] != []


def test_the_losses_do_not_depend_on_the_micro_batch(tiny_folder, tmp_path):
    options = {"attach": adapted, "rows": data(longest=60), "epochs": 2}
    logs = []
    for work, tokens in zip(works(tmp_path, "abc"), (1, 100, 1 << 20), strict=True):
        _, log, facts, _ = run(tiny_folder, work, bench={"micro_batch": tokens}, **options)
        logs.append([line["loss"] for line in log])
        assert facts["padding_share"] == 0
    np.testing.assert_allclose(logs[0], logs[2], rtol=1e-5)
    np.testing.assert_allclose(logs[1], logs[2], rtol=1e-5)


def test_little_memory_is_said_once_and_enough_memory_never(tiny_folder, tmp_path, monkeypatch):
    options = {"attach": adapted, "rows": data(longest=60), "epochs": 2}
    found = []
    for work, free in zip(works(tmp_path, "ab"), (1 << 33, 1_600_000), strict=True):
        monkeypatch.setattr(memory, "free_memory", lambda free=free: free)
        _, log, facts, events = run(tiny_folder, work, **options)
        said = [event["said"] for event in events if event["event"] == "memory"]
        found.append(([line["loss"] for line in log], said))
        assert facts["spent"]["micro_batch"]["checkpointing"] == bool(said)
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    assert found[0][1] == []
    assert found[1][1] == ["little memory: gradient checkpointing computes each layer twice"]


def test_facts_do_not_depend_on_the_moment_but_for_what_was_spent(tiny_folder, tmp_path):
    one, other = works(tmp_path, "ab")
    facts = [run(tiny_folder, one)[2], run(tiny_folder, other, kill_at=(4,))[2]]
    spent = [(each.pop("resumed_from"), each.pop("spent")) for each in facts]
    assert facts[0] == facts[1]
    assert facts[0]["flops"] > 6 * facts[0]["tokens"] * 1000
    assert spent[0] != spent[1]


def test_the_order_of_batches_is_a_choice(tiny_folder, tmp_path):
    rows = data(longest=60)
    folders = works(tmp_path, "ab")
    logs = [
        run(tiny_folder, work, rows=rows, batches=order)[1]
        for work, order in zip(folders, ORDERS, strict=True)
    ]
    assert logs[0] != logs[1]
    with pytest.raises(EngineError, match=r"no order of batches 'shuffle'. Did you mean 'shuff"):
        Training(batches="shuffle")


def test_an_optimiser_without_memory_says_what_to_do(tiny_folder, tmp_path, monkeypatch):
    def step(self, closure=None):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    said = r"memory does not suffice for the optimiser's state of [\d,]+ parameters: train fewer"
    with pytest.raises(EngineError, match=said):
        run(tiny_folder, tmp_path)


def test_each_attempt_at_a_step_begins_with_the_methods_own_preparation(tiny_folder, tmp_path):
    calls = []
    bench = {
        "before_step": lambda model: calls.append("before"),
        "after_step": lambda model: calls.append("after"),
    }
    run(tiny_folder, tmp_path, bench=bench, epochs=1)
    assert calls == ["before", "after"] * 8


def test_writing_takes_a_small_share_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(checkpoint.time, "monotonic", lambda: now[0])
    pace = Pace(10.0)
    written = []
    while now[0] < 1000:
        now[0] += 1
        if pace.due():
            with pace.writing():
                now[0] += 4
            written.append(now[0])
    assert written[0] == 14
    assert 4 * len(written) < 0.06 * 1000
    fast = Pace(10.0)
    with fast.writing():
        now[0] += 0.01
    assert fast.pause == 10.0


def test_early_stopping_keeps_the_best_weights_also_after_a_kill(tiny_folder, tmp_path):
    options = {"epochs": 8, "learning_rate": 3e-2, "early_stopping": 2}
    one, other = works(tmp_path, "ab")
    whole, _, facts, _ = run(tiny_folder, one, **options)
    pieces, _, again, _ = run(tiny_folder, other, kill_at=(20, 28), **options)
    assert facts["stopped_early"]
    assert int(np.argmin(facts["dev_losses"])) == len(facts["dev_losses"]) - 3
    assert whole == pieces
    assert facts["spent"]["judge"] > 0 < again["spent"]["earlier"]["judge"]


def test_the_dev_loss_goes_on_when_memory_runs_out(tiny_folder, tmp_path, monkeypatch):
    one, other = works(tmp_path, "ab")
    _, _, facts, _ = run(tiny_folder, one, early_stopping=2)
    whole = Prefix.hidden_at

    def hidden_at(self, packed):
        if len(packed.lengths) > 5:
            raise torch.OutOfMemoryError
        return whole(self, packed)

    monkeypatch.setattr(Prefix, "hidden_at", hidden_at)
    _, _, again, events = run(tiny_folder, other, early_stopping=2)
    np.testing.assert_allclose(again["dev_losses"], facts["dev_losses"], rtol=1e-5)
    assert "out of memory: at most" in next(e for e in events if e["event"] == "memory")["said"]


def test_two_seeds_differ_and_one_seed_repeats(tiny_folder, tmp_path):
    folders = works(tmp_path, "abc")
    prints = [run(tiny_folder, w, seed=s)[0] for w, s in zip(folders, (0, 0, 1), strict=True)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_the_loss_falls(tiny_folder, tmp_path, optimiser):
    _, log, _, _ = run(tiny_folder, tmp_path, epochs=6, learning_rate=1e-2, optimiser=optimiser)
    assert log[-1]["loss"] < 0.9 * log[0]["loss"]


def test_a_loss_that_is_no_number_ends_in_one_message(tiny_folder, tmp_path):
    with pytest.raises(EngineError, match=r"the loss is .* at step \d+ of 24: lower the learning"):
        run(tiny_folder, tmp_path, learning_rate=1e30, warmup=0.0)


def test_a_torn_checkpoint_means_starting_anew(tiny_folder, tmp_path):
    whole = run(tiny_folder, tmp_path)[0]
    (tmp_path / NAME).write_bytes(b"torn")
    assert run(tiny_folder, tmp_path)[0] == whole


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_to_its_peak_and_never_above(schedule):
    rates = [rate(step, 100, schedule=schedule, warmup=0.1) for step in range(100)]
    assert rates[:10] == sorted(rates[:10])
    assert max(rates) == pytest.approx(1.0) == rates[9]
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert min(rates) > 0
