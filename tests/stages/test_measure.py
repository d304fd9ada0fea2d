"""Measuring: real stages in small, and depth by depth for a model that is too large for that."""

import json

import pytest

from smalltune.core.job import Job
from smalltune.core.keys import file_digest
from smalltune.core.plugins import load
from smalltune.core.store import Store
from smalltune.engine.memory import needed_bytes
from smalltune.engine.optimisers import optimiser_of
from smalltune.models.loading import empty_model, load_model
from smalltune.stages import Bench, execute
from smalltune.stages import measure as measuring

LABELS = {"0": "bad", "1": "good"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def table(path, count, start):
    rows = [{"t": f"text number {n} is {'dull' * (n % 5)}", "y": n % 2} for n in range(count)]
    path.write_text("".join(json.dumps(row | {"t": f"{start} {row['t']}"}) + "\n" for row in rows))
    return path


def measure(store, tmp_path, ref, method="lora", kind="classification", **more):
    """Prepare and tokenise a few rows, throw the test rows away, measure; return what was found."""
    files = {r: table(tmp_path / f"{r}.jsonl", n, r) for r, n in PARTS.items()}
    spec = {
        "task": {"kind": kind, "version": 2, "options": OPTIONS[kind]},
        "files": {role: [file_digest(path)] for role, path in files.items()},
    }
    data = Job("prepare", 2, spec, {}, {f"{r}/0": str(p) for r, p in files.items()})
    task = {"kind": kind, "version": 2, "options": ASKED[kind]}
    reads = {"task": task, "chat": False, "tokeniser": "digest", "max_length": 64}
    tokens = Job("tokens", 2, reads, {"data": data}, {"model": ref})
    bench = Bench()
    for job in (data, tokens):
        execute(job, store, bench)
    (store.folder(data.key) / "test.jsonl").unlink()
    how = {"name": method, "version": 1, "options": load("smalltune.methods", method)().options()}
    asked = {"model": "digest", "method": how, "task": kind, "dtype": "float32"}
    cost = {"batch_size": 4, "batches": "shuffled", "optimiser": "adamw", "judged": True}
    spec = {
        "train": {**asked, "training": cost, "limit": None},
        "predict": {**asked, **WRITTEN[kind]},
        "metrics": dict.fromkeys(METRICS[kind], 1),
        "tokens": reads,
        "place": {},
        **more,
    }
    out = tmp_path / "out"
    out.mkdir()
    inputs = measuring.Inputs(
        {"data": store.folder(data.key), "tokens": store.path(tokens.key)},
        {"data": data.key, "tokens": tokens.key},
        {"model": ref},
    )
    measuring.measure(spec, inputs, out, bench)
    assert [path.name for path in out.iterdir()] == ["measured.json"]
    return json.loads((out / "measured.json").read_text())


PARTS = {"train": 21, "dev": 8, "test": 10}
DECODING = {"longest": 8, "beams": 1, "length_penalty": 1.0, "stop": "end"}
OPTIONS = {
    "classification": {"text": "t", "label": "y", "labels": LABELS},
    "generation": {"text": "t", "reference": "t", "prompt": "{t}"},
}
ASKED = {
    "classification": {"text": "t", "labels": LABELS, "prompt": "{t}\nIt is"},
    "generation": {"text": "t", "reference": "t", "prompt": "{t}\nAgain:", "longest": 8},
}
WRITTEN = {"classification": {}, "generation": {"decoding": DECODING, "tokeniser": "digest"}}
METRICS = {"classification": ["accuracy"], "generation": ["chrf"]}


def test_a_measuring_runs_the_stages_and_reads_no_row_of_test(store, tmp_path, tiny_folder):
    found = measure(store, tmp_path, f"path:{tiny_folder}")
    assert {name: each["rows"] for name, each in found["splits"].items()} == PARTS
    train, model = found["train"], load_model(tiny_folder)
    assert train["rows"] == PARTS["train"]
    assert train["trained"] == load("smalltune.methods", "lora")().parameters(model)
    assert train["weights_bytes"] > 4 * train["trained"]
    assert min(train["step"], train["judge"], train["peak"]) > 0
    assert min(found["predict"]["token"], found["predict"]["peak"], found["score"]["item"]) > 0


def test_the_likelihood_of_references_is_measured_apart_where_it_is_asked_for(
    store, tmp_path, tiny_folder
):
    found = measure(store, tmp_path, f"path:{tiny_folder}", kind="generation", loss=True)
    loss, predict = found["loss"], found["predict"]
    assert loss.keys() == predict.keys()
    assert 0 < loss["token"] < predict["token"], "nothing is written"
    assert loss["once"] > 0 and loss["item_bytes"] > 0


def test_making_a_model_of_what_was_trained_is_measured_where_others_start_from_it(
    store, tmp_path, tiny_folder
):
    found = measure(store, tmp_path, f"path:{tiny_folder}", merged=True)
    merge, base = found["merge"], sum(p.nbytes for p in load_model(tiny_folder).parameters())
    assert min(merge["once"], merge["peak"], merge["bytes"]) > 0
    assert merge["weights_bytes"] > base


@pytest.mark.parametrize("method", ["full", "lora"])
def test_two_small_depths_tell_of_the_whole(store, tmp_path, tiny_config, monkeypatch, method):
    config = json.loads((tiny_config / "config.json").read_text())
    config |= {"num_hidden_layers": 9, "layer_types": ["full_attention"] * 9}
    (tiny_config / "config.json").write_text(json.dumps(config))
    monkeypatch.setattr(measuring, "WHOLE", 0)
    found = measure(store, tmp_path, f"config:{tiny_config}", method)
    assert (found["layers"], found["depths"]) == (9, [1, 3])
    model = load_model(tiny_config, scheme="config")
    plugin = load("smalltune.methods", method)()
    assert found["train"]["trained"] == plugin.parameters(model)
    plugin.attach(model)
    plugin.save(model, tmp_path)
    written = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert found["train"]["weights_bytes"] == pytest.approx(written, rel=0.03)


def test_a_model_without_memory_has_the_parameters_of_the_real_one(tiny_folder):
    empty, real = empty_model(tiny_folder), load_model(tiny_folder)
    assert {n: p.shape for n, p in empty.named_parameters()} == {
        n: p.shape for n, p in real.named_parameters()
    }
    assert all(p.is_meta for p in empty.parameters())


def test_weights_gradients_and_moments_take_the_bytes_that_the_closed_form_says(tiny):
    tiny.requires_grad_(True)
    optimiser = optimiser_of(tiny, "adamw", learning_rate=1e-3, weight_decay=0.0, beta2=0.999)
    for parameter in tiny.parameters():
        parameter.grad = parameter.detach().clone()
    optimiser.step()
    weights = sum(p.nbytes for p in tiny.parameters())
    gradients = sum(p.grad.nbytes for p in tiny.parameters())
    moments = sum(
        value.nbytes
        for state in optimiser.state.values()
        for value in state.values()
        if value.dim()
    )
    count = sum(p.numel() for p in tiny.parameters())
    assert needed_bytes(count, count) == weights + gradients + moments
    assert needed_bytes(count) == weights
