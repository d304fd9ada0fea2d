import numpy as np
import pytest
import torch
from bases.small import tiny_config
from router import expert_shares

from smalltune.core.plugins import load
from smalltune.engine.segments import Segments
from smalltune.models.loading import load_model

LENGTHS = (5, 17, 30, 30, 41)


@pytest.fixture
def mixture(tmp_path):
    return load_model(tiny_config("micro-deepseek", tmp_path / "m"), scheme="config")


def pieces(seed=0):
    rng = np.random.default_rng(seed)
    texts = [rng.integers(1, 4096, size=n) for n in LENGTHS]
    return Segments.of(texts, [1] * len(texts), [0] * len(texts))


def test_shares_add_up_to_one_in_every_layer_with_experts(mixture):
    shares = expert_shares(mixture, pieces())
    assert list(shares) == ["model.layers.1.mlp.experts"]
    assert all(len(each) == 4 and sum(each) == pytest.approx(1) for each in shares.values())


def test_padding_does_not_count(mixture):
    together = expert_shares(mixture, pieces())
    alone = [expert_shares(mixture, pieces().take(np.array([i]))) for i in range(len(LENGTHS))]
    for name, shares in together.items():
        expected = np.average([one[name] for one in alone], axis=0, weights=LENGTHS)
        np.testing.assert_allclose(shares, expected, atol=1e-9)


def test_an_expert_that_always_wins_has_as_much_as_one_can_have(mixture):
    gate = mixture.model.layers[1].mlp.gate
    with torch.no_grad():
        gate.e_score_correction_bias[2] = 100.0
    (shares,) = expert_shares(mixture, pieces()).values()
    assert shares[2] == pytest.approx(0.5)  # two are chosen for each token


def test_a_model_without_experts_has_no_shares_and_keeps_no_hook(tmp_path, mixture):
    dense = load_model(tiny_config("micro-qwen", tmp_path / "q"), scheme="config")
    assert expert_shares(dense, pieces()) == {}
    expert_shares(mixture, pieces())
    assert not any(module._forward_pre_hooks for module in mixture.modules())


def test_pre_training_moves_a_routers_bias_against_its_load(tmp_path):
    """An expert with more than its share of the tokens falls by `balance`, one with less rises."""
    model = load_model(tiny_config("micro-deepseek", tmp_path / "m"), scheme="config").train()
    method = load("smalltune.methods", "pretrain")(balance=0.25)
    method.attach(model)
    model(input_ids=torch.arange(1, 41)[None])
    routers = [m for m in model.modules() if hasattr(m, "e_score_correction_bias")]
    loads = [router.chosen.float() for router in routers]
    assert [each.sum().item() for each in loads] == [40 * router.top_k for router in routers] != []
    method.after_step(model)
    for chosen, router in zip(loads, routers, strict=True):
        expected = 0.25 * torch.sign(chosen.mean() - chosen)
        torch.testing.assert_close(router.e_score_correction_bias, expected)
    method.detach(model)
    assert not any(router._forward_hooks for router in routers)
