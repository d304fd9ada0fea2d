import numpy as np
import pytest
import torch

from smalltune.core.errors import EngineError
from smalltune.engine.checkpoint import NAME
from smalltune.engine.optimisers import OPTIMISERS
from smalltune.engine.schedule import SCHEDULES, rate
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train
from smalltune.models.loading import fingerprint, load_model


class Killed(Exception):
    pass


def data(n=64, seed=3):
    rng = np.random.default_rng(seed)
    return Segments.of([rng.integers(1, 200, size=12) for _ in range(n)], [6] * n, [0] * n)


def run(folder, work, *, kill_at=(), seed=0, **options):
    """Train a fresh copy of the model; start again after each kill, as a user would."""
    kills = list(kill_at)
    events = []

    def progress(event):
        events.append(event)
        if kills and event["event"] == "step" and event["step"] == kills[0]:
            kills.pop(0)
            raise Killed

    while True:
        model = load_model(folder)
        model.requires_grad_(True)
        torch.manual_seed(seed)
        try:
            log, facts = train(
                model,
                data(),
                data(16, seed=4),
                Training(**{"epochs": 3, "batch_size": 8, **options}),
                seed=seed,
                dtype="float32",
                work=work,
                checkpoint_seconds=0.0,
                progress=progress,
            )
        except Killed:
            continue
        return fingerprint(model), log, facts, events


def dropout_config(folder, target):
    """The same model with attention dropout, so that random state matters."""
    import json
    import shutil

    shutil.copytree(folder, target)
    config = json.loads((target / "config.json").read_text())
    config["attention_dropout"] = 0.3
    (target / "config.json").write_text(json.dumps(config))
    return target


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_a_killed_training_ends_in_the_same_bits(tiny_folder, tmp_path, optimiser):
    folder = dropout_config(tiny_folder, tmp_path / "model")
    works = [tmp_path / "a", tmp_path / "b"]
    for work in works:
        work.mkdir()
    whole, log, _, _ = run(folder, works[0], optimiser=optimiser)
    pieces, again, facts, _ = run(folder, works[1], kill_at=(3, 11, 20), optimiser=optimiser)
    assert (whole, log) == (pieces, again)
    assert facts["resumed_from"] == [2, 10, 19]


def test_early_stopping_keeps_the_best_weights_also_after_a_kill(tiny_folder, tmp_path):
    options = {"epochs": 8, "learning_rate": 3e-2, "early_stopping": 2}
    works = [tmp_path / "a", tmp_path / "b"]
    for work in works:
        work.mkdir()
    whole, _, facts, _ = run(tiny_folder, works[0], **options)
    pieces, _, _, _ = run(tiny_folder, works[1], kill_at=(20, 28), **options)
    assert facts["stopped_early"]
    assert int(np.argmin(facts["dev_losses"])) == len(facts["dev_losses"]) - 3
    assert whole == pieces


def test_two_seeds_differ_and_one_seed_repeats(tiny_folder, tmp_path):
    works = [tmp_path / name for name in "abc"]
    for work in works:
        work.mkdir()
    prints = [run(tiny_folder, w, seed=s)[0] for w, s in zip(works, (0, 0, 1), strict=True)]
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
