"""Killed and resumed pre-training ends in the same weights: CPU, float32, tiny sizes."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from bases.small import tiny_config, write_corpus, write_study

from smalltune.core.plugins import load
from smalltune.engine.optimisers import OPTIMISERS
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train
from smalltune.models.loading import fingerprint, load_model

NAMES = ("micro-llama", "micro-qwen", "micro-qwen2", "micro-deepseek")
STEPS = 14
METHOD = load("smalltune.methods", "pretrain")(balance=0.01)


class Killed(Exception):
    pass


def text(n=20, seed=0):
    rng = np.random.default_rng(seed)
    pieces = [rng.integers(1, 4096, size=rng.integers(8, 24)) for _ in range(n)]
    return Segments.of(pieces, [1] * n, [0] * n)


def pre_trained(folder, work, optimiser, kills=()):
    """Pre-train from random weights and begin again after each kill; return bits and log."""
    work.mkdir()
    left = list(kills)

    def progress(event):
        if left and event["event"] == "step" and event["step"] == left[0]:
            left.pop(0)
            raise Killed

    while True:
        model = load_model(folder, scheme="config", seed=0)
        METHOD.attach(model)
        options = Training(
            steps=STEPS, batch_size=4, learning_rate=3e-3, optimiser=optimiser,
            weight_decay=0.1, beta2=0.95,
        )  # fmt: skip
        try:
            log, facts = train(
                model, text(), None, options, seed=0, dtype="float32", work=work,
                checkpoint_seconds=0.0, progress=progress,
                before_step=METHOD.before_step, after_step=METHOD.after_step,
            )  # fmt: skip
        except Killed:
            continue
        return fingerprint(model), log, facts["resumed_from"]


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_killed_pre_training_ends_in_the_same_bits(name, optimiser, tmp_path):
    folder = tiny_config(name, tmp_path / "config")
    whole, log, none = pre_trained(folder, tmp_path / "a", optimiser)
    pieces, again, resumed = pre_trained(folder, tmp_path / "b", optimiser, kills=(3, 9))
    assert (none, resumed) == ([], [2, 8])
    assert log == again
    assert whole == pieces


def test_a_run_killed_from_outside_leaves_the_same_weights(tmp_path):
    import smalltune as st

    write_corpus(tmp_path)
    training = {"optimiser": "muon", "learning_rate": 3e-3, "steps": 150, "batch_size": 4}
    folder = write_study(tmp_path, "micro-deepseek", training=training)
    weights = {}
    for place in ("calm", "stormy"):
        study = st.load(folder, store=tmp_path / place)
        if place == "stormy":
            kill_after_a_checkpoint(folder, tmp_path / place)
        study.run(workers=1)
        key = study.plan().trials[0].job("train").key
        weights[place] = (study.store.path(key) / "weights" / "model.safetensors").read_bytes()
        resumed = study.store.provenance(key)["resumed_from"]
        assert (place == "stormy") == (max(resumed, default=0) > 0)
    assert weights["calm"] == weights["stormy"]


def kill_after_a_checkpoint(folder, store):
    command = [sys.executable, "-m", "smalltune", "run", str(folder / "study.yaml")]
    process = subprocess.Popen(
        [*command, "--store", str(store), "--checkpoint-seconds", "0.05"],
        start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(store.glob("work/*/checkpoint.safetensors")):
        assert process.poll() is None, "it ended before its first checkpoint"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_early_stopping_gives_back_the_router_of_the_best_epoch_too(tmp_path):
    model = load_model(tiny_config("micro-deepseek", tmp_path / "m"), scheme="config")
    METHOD.attach(model)
    router = next(m for m in model.modules() if hasattr(m, "e_score_correction_bias"))
    biases = []

    def after_step(trained):
        METHOD.after_step(trained)
        biases.append(router.e_score_correction_bias.clone())

    options = Training(epochs=6, batch_size=4, learning_rate=0.5, early_stopping=2)
    _, facts = train(
        model, text(), text(8, seed=1), options, seed=0, dtype="float32", work=tmp_path,
        checkpoint_seconds=60.0, progress=lambda event: None, after_step=after_step,
    )  # fmt: skip
    best = int(np.argmin(facts["dev_losses"]))
    assert best < len(facts["dev_losses"]) - 1
    kept = biases[5 * (best + 1) - 1]
    assert (router.e_score_correction_bias == kept).all() and (kept != biases[-1]).any()
