import json
from pathlib import Path

import numpy as np
import pytest
import torch
from parameters import BASES, built, count

from smalltune.engine.forward import answer_loss
from smalltune.engine.optimisers import OPTIMISERS
from smalltune.engine.packing import pack
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train

FOLDER = Path(__file__).parents[2] / "bases"
TRAINED = ("micro-llama", "micro-qwen", "micro-deepseek")
CLASSES = ("LlamaForCausalLM", "Qwen3ForCausalLM", "Qwen2ForCausalLM", "DeepseekV3ForCausalLM")


def some(n=8, seed=0):
    rng = np.random.default_rng(seed)
    return Segments.of(
        [rng.integers(1, 4096, size=rng.integers(20, 40)) for _ in range(n)], [1] * n, [0] * n
    )


@pytest.fixture(scope="module", params=BASES)
def base(request):
    return built(request.param)


def test_the_bases_match_within_three_per_cent_and_fit_the_package():
    counts = {name: count(built(name)) for name in BASES}
    active = [found["active"] for found in counts.values()]
    assert max(active) <= 1.03 * min(active)
    assert all(1_500_000 <= n <= 2_000_000 for n in active)
    assert sum(2 * counts[name]["total"] for name in TRAINED) <= 20_000_000
    mixture = counts["micro-deepseek"]
    assert mixture["active"] < mixture["inner"] < mixture["total"]


def test_each_base_is_a_native_class_with_the_shared_vocabulary_and_context():
    for name, architecture in zip(BASES, CLASSES, strict=True):
        model = built(name)
        assert type(model).__name__ == architecture
        assert model.config.vocab_size == 4096
        assert model.config.max_position_embeddings == 1024
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_the_bases_share_one_tokeniser():
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert len({(FOLDER / name / "config" / file).read_bytes() for name in BASES}) == 1


def test_what_makes_a_family_is_there():
    parameters = {name: dict(built(name).named_parameters()) for name in BASES}
    layer = "model.layers.1.self_attn."
    assert parameters["micro-llama"][layer + "k_proj.weight"].shape[0] == 96
    assert layer + "q_norm.weight" in parameters["micro-qwen"]
    assert layer + "q_proj.bias" in parameters["micro-qwen2"]
    assert layer + "kv_a_proj_with_mqa.weight" in parameters["micro-deepseek"]
    mixture = "model.layers.1.mlp."
    assert parameters["micro-deepseek"][mixture + "experts.gate_up_proj"].shape[0] == 4
    assert mixture + "shared_experts.up_proj.weight" in parameters["micro-deepseek"]
    assert not any(n.endswith(".bias") for n in parameters["micro-llama"])


def test_every_parameter_gets_a_gradient_through_the_engines_loss(base):
    base.requires_grad_(True)
    data = some(16)
    loss = answer_loss(base, pack(data, range(16), "cpu"))
    loss.backward()
    assert abs(float(loss.detach()) - np.log(4096)) < 0.5
    without = [n for n, p in base.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    base.zero_grad()


def test_a_token_does_not_see_what_comes_after_it_or_beside_it(base):
    data = some(6)
    ids = torch.zeros(6, int(data.lengths.max()), dtype=torch.int64)
    for row in range(6):
        ids[row, : data.lengths[row]] = torch.from_numpy(data[row].astype(np.int64))
    with torch.inference_mode():
        together = base.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        alone = base.get_decoder()(input_ids=ids[2:3, :15], use_cache=False).last_hidden_state
    torch.testing.assert_close(together[2, :15], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", TRAINED)
def test_a_few_steps_of_pre_training_lower_the_loss(name, optimiser, tmp_path):
    model = built(name)
    model.requires_grad_(True)
    log, facts = train(
        model,
        some(),
        None,
        Training(steps=12, batch_size=4, learning_rate=3e-3, optimiser=optimiser),
        seed=0,
        dtype="float32",
        work=tmp_path,
        checkpoint_seconds=1e9,
        progress=lambda event: None,
    )
    assert log[-1]["loss"] < log[0]["loss"] - 1
    assert facts["steps"] == 12


def test_the_configurations_differ_only_in_what_makes_the_family():
    shared = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
              "rope_theta", "rms_norm_eps", "tie_word_embeddings", "initializer_range")  # fmt: skip
    read = [json.loads((FOLDER / n / "config" / "config.json").read_text()) for n in BASES]
    for key in shared:
        assert len({config[key] for config in read}) == 1, key
