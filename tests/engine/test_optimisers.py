import pytest
import torch
from torch import nn

from smalltune.core.errors import EngineError
from smalltune.engine.optimisers import OPTIMISERS, Muon, optimiser_of, orthogonal
from smalltune.engine.training import Training

SETTINGS = {"learning_rate": 1e-2, "weight_decay": 0.1, "beta2": 0.95}


@pytest.fixture
def mixture():
    """A tiny DeepSeek-style mixture, whose experts are stacks of matrices."""
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    torch.manual_seed(0)
    config = DeepseekV3Config(
        vocab_size=64, hidden_size=16, intermediate_size=24, moe_intermediate_size=8,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, q_lora_rank=8,
        kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8, n_routed_experts=4,
        n_shared_experts=1, num_experts_per_tok=2, n_group=1, topk_group=1,
        first_k_dense_replace=1, tie_word_embeddings=False, pad_token_id=0,
    )  # fmt: skip
    return DeepseekV3ForCausalLM(config)


def with_gradients(model):
    model.requires_grad_(True)
    ids = torch.arange(24).reshape(2, 12) % 60
    model(input_ids=ids, labels=ids).loss.backward()
    return model


def named(model, group):
    names = {id(p): n for n, p in model.named_parameters()}
    return {names[id(p)] for p in group["params"]}


def test_muon_takes_hidden_matrices_and_adamw_all_that_meets_tokens(mixture):
    mixture.requires_grad_(True)
    *others, matrices = optimiser_of(mixture, "muon", **SETTINGS).param_groups
    taken = named(mixture, matrices)
    left = set().union(*(named(mixture, group) for group in others))
    assert {"model.embed_tokens.weight", "lm_head.weight", "model.norm.weight"} <= left
    assert all("norm" in n or n.split(".")[-2] in ("embed_tokens", "lm_head") for n in left)
    assert any(n.endswith("experts.gate_up_proj") for n in taken)
    assert "model.layers.0.self_attn.kv_a_proj_with_mqa.weight" in taken
    assert taken | left == {n for n, _ in mixture.named_parameters()}
    assert not taken & left


def test_a_tied_head_counts_as_an_embedding(tiny):
    tiny.requires_grad_(True)
    matrices = optimiser_of(tiny, "muon", **SETTINGS).param_groups[-1]
    assert "model.embed_tokens.weight" not in named(tiny, matrices)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_every_parameter_with_a_gradient_moves_and_frozen_ones_stay(tiny, name):
    with_gradients(tiny)
    frozen = dict(tiny.named_parameters())["model.layers.0.mlp.up_proj.weight"]
    frozen.requires_grad_(False)
    before = {n: p.detach().clone() for n, p in tiny.named_parameters()}
    optimiser = optimiser_of(tiny, name, **SETTINGS)
    for group in optimiser.param_groups:
        group["lr"] = 1e-2
    optimiser.step()
    stayed = {n for n, p in tiny.named_parameters() if torch.equal(p, before[n])}
    assert stayed == {"model.layers.0.mlp.up_proj.weight"}
    trained = {id(p) for p in tiny.parameters() if p.requires_grad}
    assert {id(p) for p, kept in optimiser.state.items() if kept} == trained
    optimiser.zero_grad(set_to_none=True)
    assert all(p.grad is None for p in tiny.parameters() if p is not frozen)


def test_the_newton_schulz_iteration_brings_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((8, 32), (32, 8), (3, 16, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert values.min() > 0.6
        assert values.max() < 1.3
    assert torch.equal(orthogonal(torch.zeros(4, 6)), torch.zeros(4, 6))


def test_a_stack_of_matrices_moves_as_its_matrices_alone_do():
    torch.manual_seed(0)
    stack = nn.Parameter(torch.randn(3, 6, 10))
    alone = [nn.Parameter(matrix.clone()) for matrix in stack.detach()]
    ours = [Muon([{"params": each, "weight_decay": 0.1}], None) for each in ([stack], alone)]
    for _ in range(3):
        stack.grad = torch.randn(3, 6, 10)
        for parameter, gradient in zip(alone, stack.grad, strict=True):
            parameter.grad = gradient.clone()
        for optimiser in ours:
            optimiser.param_groups[0]["lr"] = 0.02
            optimiser.step()
    torch.testing.assert_close(stack.detach(), torch.stack([p.detach() for p in alone]))


def test_muon_steps_as_the_one_of_torch_does():
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(12, 20))
    theirs = nn.Parameter(ours.detach().clone())
    one = Muon([{"params": [ours], "weight_decay": 0.1}], None)
    other = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    start = ours.detach().clone()
    for _ in range(4):
        ours.grad = torch.randn(12, 20)
        theirs.grad = ours.grad.clone()
        one.param_groups[0]["lr"] = 0.02
        one.step()
        other.step()
    moved, expected = ours.detach() - start, theirs.detach() - start
    assert (moved - expected).norm() < 0.02 * expected.norm()  # theirs is in bfloat16


def test_an_update_of_muon_has_the_size_of_adamws():
    torch.manual_seed(0)
    for shape in ((64, 64), (64, 256), (4, 96, 32)):
        parameter = nn.Parameter(torch.zeros(shape))
        parameter.grad = torch.randn(shape)
        optimiser = Muon([{"params": [parameter], "weight_decay": 0.0}], None)
        optimiser.param_groups[0]["lr"] = 1.0
        optimiser.step()
        assert 0.14 < float(parameter.detach().square().mean().sqrt()) < 0.24


def test_the_nearest_optimiser_is_named():
    with pytest.raises(EngineError, match=r"no optimiser 'muom'. Did you mean 'muon'\?"):
        Training(optimiser="muom")


def test_nothing_to_train_is_an_error(tiny):
    with pytest.raises(EngineError, match="nothing to train"):
        optimiser_of(tiny, "muon", **SETTINGS)


def test_a_parameter_in_half_precision_is_not_trained(tiny):
    tiny.requires_grad_(True).bfloat16()
    with pytest.raises(EngineError, match=r"a parameter in torch.bfloat16 cannot be trained"):
        optimiser_of(tiny, "adamw", **SETTINGS)
