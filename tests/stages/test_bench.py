"""The bench lends a base and takes it back only with the bits that it had."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from smalltune.core.errors import EngineError
from smalltune.core.plugins import load
from smalltune.core.provenance import Meter
from smalltune.engine.flops import asking, flops_of
from smalltune.engine.prefixes import shared_tokens
from smalltune.engine.segments import Segments
from smalltune.stages import Bench, Inputs


@pytest.fixture
def ref(tiny_folder):
    return f"path:{tiny_folder}"


def test_a_base_is_loaded_once_and_lent_again(ref):
    bench = Bench()
    with bench.base(ref, "digest", 0, changes=False) as first:
        method = load("smalltune.methods", "lora")()
        method.attach(first)
        method.detach(first)
    with bench.base(ref, "digest", 1, changes=False) as second:
        assert second is first
    assert bench.held() == {"digest"}


def test_a_frozen_base_that_comes_back_changed_is_an_error(ref):
    bench = Bench()
    with (
        pytest.raises(EngineError, match=r"the frozen base .* came back with other weights"),
        bench.base(ref, "digest", 0, changes=False) as model,
        torch.no_grad(),
    ):
        next(model.parameters())[0, 0] += 1e-6
    assert bench.held() == set()


def changed(bench, ref, change=lambda model: None):
    """Return a base that a borrower has trained, with all that training leaves behind."""
    with bench.base(ref, "digest", 0, changes=True) as model:
        model.requires_grad_(True).train()
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        with torch.no_grad():
            for tensor in (*model.parameters(), *model.buffers()):
                tensor.add_(1.0)
        change(model)
    return model


def test_a_base_that_a_method_trains_itself_has_its_weights_again_when_it_is_lent_next(ref):
    bench = Bench()
    with Bench().base(ref, "digest", 0, changes=False) as fresh:
        expected = {n: t.clone() for n, t in (*fresh.named_parameters(), *fresh.named_buffers())}
    for _ in range(2):
        trained = changed(bench, ref)
        with bench.base(ref, "digest", 0, changes=False) as model:
            assert model is trained
            found = dict((*model.named_parameters(), *model.named_buffers()))
            assert found.keys() == expected.keys()
            assert all(torch.equal(found[name], expected[name]) for name in expected)
            assert not model.training
            assert all(p.grad is None and not p.requires_grad for p in model.parameters())


def test_a_base_without_room_for_a_copy_is_loaded_anew(ref, monkeypatch):
    monkeypatch.setattr("smalltune.stages._bases.free_memory", lambda: 1000)
    bench = Bench()
    trained = changed(bench, ref)
    assert bench.held() == set()
    with bench.base(ref, "digest", 0, changes=False) as model:
        assert model is not trained
        assert next(model.parameters()).std() < 0.1


@pytest.mark.parametrize("change", ["another layer", "another buffer"])
def test_a_base_that_came_back_with_other_parts_is_loaded_anew(ref, change):
    def exchange(model):
        if change == "another layer":
            model.model.layers[0].mlp.up_proj = torch.nn.Linear(32, 64)
        else:
            model.register_buffer("mean", torch.zeros(3))

    bench = Bench()
    changed(bench, ref, exchange)
    assert bench.held() == set()


def test_a_copy_of_a_base_is_held_only_while_the_base_is_trained(ref):
    import gc

    def copies(shape):
        found = (each for each in gc.get_objects() if type(each) is torch.Tensor)
        return sum(each.shape == shape for each in found)

    bench = Bench()
    with bench.base(ref, "digest", 0, changes=False) as model:
        shape = model.get_input_embeddings().weight.shape
    before = copies(shape)
    with bench.base(ref, "digest", 0, changes=True):
        assert copies(shape) == before + 1
    assert copies(shape) == before and bench.held() == {"digest"}


def test_of_what_seeds_draw_for_one_configuration_the_last_is_kept(tiny_config):
    bench = Bench()
    for seed in (0, 1):
        with bench.base(f"config:{tiny_config}", "digest", seed, changes=False):
            pass
    assert bench.held() == {"digest:1"}


def test_after_an_error_the_base_is_not_kept(ref):
    bench = Bench()
    with pytest.raises(ZeroDivisionError), bench.base(ref, "digest", 0, changes=False):
        raise ZeroDivisionError
    assert bench.held() == set()


def test_a_frozen_base_in_half_precision_is_kept_beside_the_whole_one(ref):
    bench = Bench()
    with bench.base(ref, "digest", 0, changes=False) as whole:
        assert {p.dtype for p in whole.parameters()} == {torch.float32}
    with bench.base(ref, "digest", 0, changes=False, dtype="bfloat16") as half:
        assert {p.dtype for p in half.parameters() if p.dim() > 1} == {torch.bfloat16}
        assert {b.dtype for b in half.buffers()} == {torch.float32}
        sizes = [sum(p.nbytes for p in model.parameters()) for model in (half, whole)]
        assert sizes[0] < 0.51 * sizes[1]
    with bench.base(ref, "digest", 0, changes=False) as again:
        assert again is whole
    assert bench.held() == {"digest"}
    with (
        pytest.raises(EngineError, match="must be float32, not bfloat16"),
        bench.base(ref, "digest", 0, changes=True, dtype="bfloat16"),
    ):
        pass


def test_a_bare_configuration_draws_its_weights_from_the_seed(tiny_config):
    from smalltune.models.loading import fingerprint

    prints = []
    for seed in (0, 0, 1):
        with Bench().base(f"config:{tiny_config}", "digest", seed, changes=False) as model:
            prints.append(fingerprint(model))
    assert prints[0] == prints[1] != prints[2]


# What a job cost


@pytest.fixture
def asked(ref, tiny_folder, tmp_path):
    """What a training of twelve short texts reads: a tokens artifact and the model."""
    folder = tmp_path / "tokens"
    folder.mkdir()
    rng = np.random.default_rng(0)
    prompts = [rng.integers(1, 200, size=rng.integers(5, 20)) for _ in range(12)]
    lengths = [len(prompt) for prompt in prompts]
    for split in ("train", "dev", "test"):
        labels = [place % 2 for place in range(12)]
        Segments.of(prompts, lengths, labels).save(folder / f"{split}.safetensors")
    words = {"names": ["bad", "good"], "tokens": [[11], [12]]}
    (folder / "labels.json").write_text(json.dumps(words))
    (folder / "test.jsonl").write_text("".join(f'{{"id": "{n}"}}\n' for n in range(12)))
    return Inputs({"tokens": folder, "data": folder}, {"tokens": "key"}, {"model": ref})


def spec(**more):
    return {
        "seed": 0, "limit": None, "model": "digest", "task": "classification", "dtype": "float32",
        "method": {"name": "lora", "options": {"dropout": 0.1}}, **more,
    }  # fmt: skip


def trained(asked, out, bench, base_dtype=None, **training):
    """Run the stage `train`; return its facts and what it says of the costs."""
    out.mkdir()
    meter = Meter()
    bench.start(meter, None)
    meter.phase("setup")
    training = {"epochs": 2, "batch_size": 4, **training}
    more = {"base_dtype": base_dtype} if base_dtype else {}
    said = load("smalltune.stages", "train")(spec(training=training, **more), asked, out, bench)
    meter.phase("store")
    return json.loads((out / "facts.json").read_text()), meter.record(**said)


def test_a_training_says_how_fast_it_was_and_its_facts_are_the_same_again(asked, tmp_path):
    (facts, made), (again, _) = (trained(asked, tmp_path / name, Bench()) for name in "ab")
    assert facts == again
    speed, seconds = made["speed"], made["phases"]["train"]
    assert speed["tokens_per_second"] == pytest.approx(facts["tokens"] / seconds)
    assert speed["flops_per_second"] == pytest.approx(facts["flops"] / seconds)
    assert speed["share_of_peak"] * speed["peak_flops_per_second"] == pytest.approx(
        speed["flops_per_second"]
    )
    assert facts["padding_share"] == 0
    assert made["resumed_from"] == []
    assert made["micro_batch"]["halved"] == 0


def test_the_bench_says_how_much_is_computed_at_a_time(asked, tmp_path):
    facts, made = trained(asked, tmp_path / "small", Bench(micro_batch=30))
    assert made["micro_batch"]["tokens"] == 30
    assert facts == trained(asked, tmp_path / "all", Bench())[0] | {
        name: facts[name] for name in ("first_loss", "final_loss")
    }


def test_a_method_trains_its_own_float32_parameters_over_a_base_in_half_precision(asked, tmp_path):
    bench, folders = Bench(), [tmp_path / name for name in ("whole", "half")]
    found = [trained(asked, folder, bench, epochs=6)[0] for folder in folders[:1]]
    found.append(trained(asked, folders[1], bench, base_dtype="bfloat16", epochs=6)[0])
    weights = [load_file(f / "weights" / "adapter_model.safetensors") for f in folders]
    assert {t.dtype for t in weights[1].values()} == {torch.float32}
    assert any((weights[0][n] != weights[1][n]).any() for n in weights[0])
    for name in ("first_loss", "final_loss"):
        assert found[1][name] == pytest.approx(found[0][name], rel=0.01)
    assert {n: found[0][n] for n in found[0] if "loss" not in n} == {
        n: found[1][n] for n in found[1] if "loss" not in n
    }
    scores = []
    for folder, more in zip(folders, ({}, {"base_dtype": "bfloat16"}), strict=True):
        inputs = Inputs({**asked.folders, "weights": folder}, asked.keys, asked.sources)
        load("smalltune.stages", "predict")(spec(split="test", **more), inputs, folder, bench)
        lines = (folder / "predictions.jsonl").read_text().splitlines()
        scores.append(np.array([json.loads(line)["log_probs"] for line in lines]))
    np.testing.assert_allclose(scores[1], scores[0], atol=0.02)
    assert (scores[1] != scores[0]).any()


def test_the_time_for_the_dev_loss_is_told_apart_from_training(asked, tmp_path):
    _, made = trained(asked, tmp_path / "out", Bench(), early_stopping=1)
    assert made["phases"]["judge"] > 0
    assert set(made["phases"]) == {"setup", "train", "judge", "save", "peak", "store"}


def test_a_prediction_says_how_fast_it_was(asked, tmp_path):
    bench, meter = Bench(), Meter()
    bench.start(meter, None)
    said = load("smalltune.stages", "predict")(spec(split="test"), asked, tmp_path, bench)
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["flops"] > 0
    assert said["speed"]["tokens_per_second"] == pytest.approx(
        facts["tokens"] / meter.phases["predict"]
    )


def test_of_a_beginning_that_all_prompts_share_the_operations_count_once(asked, ref, tmp_path):
    rng = np.random.default_rng(1)
    beginning = rng.integers(1, 200, size=60)
    prompts = [np.append(beginning, rng.integers(1, 200, size=n)) for n in range(4, 16)]
    data = Segments.of(prompts, [len(prompt) for prompt in prompts], [0] * 12)
    data.save(asked["tokens"] / "test.safetensors")
    bench = Bench()
    bench.start(Meter(), None)
    load("smalltune.stages", "predict")(spec(split="test"), asked, tmp_path, bench)
    flops = json.loads((tmp_path / "facts.json").read_text())["flops"]
    with bench.base(ref, "digest", 0, changes=False) as model:
        each = flops_of(model, rows=2)
    same = len(shared_tokens(data, 64))
    assert same >= 60
    assert flops == each.of(asking(data, [[11], [12]], shared=same))
    assert 4 * flops < each.of(asking(data, [[11], [12]]))


def test_what_cannot_be_counted_is_left_out(tiny):
    bench = Bench(device="cpu")
    bench.meter.phase("predict")
    assert set(bench.cost("predict", dtype="float32", tokens=5)["speed"]) == {"tokens_per_second"}


def test_progress_looks_after_the_counters(monkeypatch):
    meter, heard, ticks = Meter(), [], []
    monkeypatch.setattr(meter, "tick", lambda: ticks.append(1))
    bench = Bench()
    bench.start(meter, heard.append)
    bench.progress({"event": "step"})
    bench.start(meter, None)
    bench.progress({"event": "step"})
    assert heard == [{"event": "step"}]
    assert len(ticks) == 2
