"""Learning rates of single parameters: as PEFT groups them, under every rule, through a kill."""

import pytest
import torch
from engine.plainly import loss_of
from engine.test_training import data, run

from smalltune.core.plugins import load
from smalltune.engine.batching import epoch_order
from smalltune.engine.optimisers import OPTIMISERS, optimiser_of
from smalltune.engine.training import Training, train
from smalltune.models.loading import load_model

STEPS = 50


def thrice(name):
    return 3.0 if ".lora_B." in name else 1.0


def test_fifty_losses_of_lora_plus_are_those_of_pefts_own_optimiser(tiny_folder, tmp_path):
    from peft import PeftModel
    from peft.optimizers import create_loraplus_optimizer

    method, rows = load("smalltune.methods", "lora_plus")(), data()
    options = Training(
        learning_rate=5e-4, steps=STEPS, batch_size=8, schedule="constant", warmup=0.0
    )
    ours = load_model(tiny_folder)
    torch.manual_seed(0)
    method.attach(ours)
    method.save(ours, tmp_path)

    def trained_with(factor):
        model = load_model(tiny_folder)
        method.load(model, tmp_path)
        log, _ = train(
            model, rows, None, options, seed=0, dtype="float32", work=tmp_path,
            checkpoint_seconds=60.0, progress=lambda event: None, factor=factor,
        )  # fmt: skip
        return [line["loss"] for line in log]

    plain = PeftModel.from_pretrained(load_model(tiny_folder), tmp_path, is_trainable=True)
    rule = create_loraplus_optimizer(
        plain,
        torch.optim.AdamW,
        lr=options.learning_rate,
        loraplus_lr_ratio=method.ratio,
        loraplus_weight_decay=options.weight_decay,
    )
    trained = [p for p in plain.parameters() if p.requires_grad]
    losses = []
    for step in range(STEPS):
        epoch, place = divmod(step, len(rows) // 8)
        batch = epoch_order(rows.lengths, 8, 0, epoch, order=options.batches)[place]
        loss = loss_of(plain.base_model.model, rows.take(batch))
        losses.append(loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, options.clip)
        rule.step()
        rule.zero_grad(set_to_none=True)
    assert losses[-1] < losses[0]
    assert trained_with(method.factor) == pytest.approx(losses, rel=1e-4)
    assert trained_with(None) != pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize("rule", OPTIMISERS)
def test_a_step_is_as_many_times_as_long_as_the_rate(tiny, rule):
    load("smalltune.methods", "lora")().attach(tiny)
    moved = {}
    for factor in (None, thrice):
        optimiser = optimiser_of(
            tiny, rule, learning_rate=1.0, weight_decay=0.0, beta2=0.9,
            **({"factor": factor} if factor else {}),
        )  # fmt: skip
        trained = {n: p for n, p in tiny.named_parameters() if p.requires_grad}
        start = {n: p.detach().clone() for n, p in trained.items()}
        torch.manual_seed(0)
        for parameter in trained.values():
            parameter.grad = torch.randn_like(parameter)
        for group in optimiser.param_groups:
            group["lr"] = 0.25 * group["factor"]
        optimiser.step()
        moved[factor] = {n: p.detach() - start[n] for n, p in trained.items()}
    for name, way in moved[None].items():
        torch.testing.assert_close(moved[thrice][name], thrice(name) * way, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", OPTIMISERS)
def test_a_killed_training_of_two_rates_ends_in_the_same_bits(tiny_folder, tmp_path, rule):
    def attach(model):
        load("smalltune.methods", "lora_plus")().attach(model)

    def ended(name, kills=(), **bench):
        (tmp_path / name).mkdir()
        options = {"attach": attach, "optimiser": rule, "epochs": 2}
        found = run(tiny_folder, tmp_path / name, kill_at=kills, bench=bench, **options)
        return found[:2]

    whole = ended("whole", factor=thrice)
    assert ended("killed", kills=(3, 9), factor=thrice) == whole
    assert ended("alike")[0] != whole[0]
