"""A base in four bits: bitsandbytes' numbers, their gradients, and nothing else is changed."""

import pytest
import torch
from engine.plainly import some
from engine.test_training import run
from rooms.families import folder_of

from smalltune.core.errors import EngineError, MethodError
from smalltune.core.plugins import load
from smalltune.engine.flops import flops_of
from smalltune.engine.memory import activation_bytes
from smalltune.engine.precision import precision
from smalltune.engine.quantised import FORMATS, is_quantised, plainly_loaded, quantise, widen
from smalltune.engine.routes import route_of
from smalltune.engine.scoring import log_likelihoods
from smalltune.models.loading import load_model
from smalltune.stages import Bench

bitsandbytes = pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")


def layer_of(model):
    return model.model.layers[0].mlp.up_proj


@pytest.mark.parametrize("form", FORMATS)
def test_products_and_gradients_are_those_of_bitsandbytes(tiny, form):
    plain = layer_of(tiny)
    told = plainly_loaded(form)
    theirs = bitsandbytes.nn.Linear4bit(
        32, 48, bias=False, compute_dtype=torch.float32,
        compress_statistics=told["bnb_4bit_use_double_quant"],
        quant_type=told["bnb_4bit_quant_type"],
    )  # fmt: skip
    theirs.load_state_dict({"weight": plain.weight.detach().clone()})
    theirs = theirs.to("cpu")
    quantise(tiny, form)
    states = torch.randn(7, 32, generator=torch.Generator().manual_seed(0))
    found = []
    for layer in (layer_of(tiny), theirs):
        given = states.clone().requires_grad_()
        answer = layer(given)
        answer.square().sum().backward()
        found.append((answer.detach(), given.grad))
    for ours, wanted in zip(*found, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(found[0][0], plain(states), rtol=1e-3)


def test_widened_again_it_computes_the_same_in_plain_layers(tiny):
    kinds = [type(module) for module in tiny.modules()]
    quantise(tiny, "nf4-double")
    answers = log_likelihoods(tiny, some([9, 20, 5]))
    assert is_quantised(tiny)
    widen(tiny)
    assert not is_quantised(tiny) and [type(module) for module in tiny.modules()] == kinds
    assert log_likelihoods(tiny, some([9, 20, 5])) == pytest.approx(answers, rel=1e-6)


def test_four_bits_take_an_eighth_and_change_no_estimate_of_work(tiny):
    def size():
        layers = tiny.model.layers
        tensors = [*layers.parameters(), *layers.buffers()]
        return sum(tensor.nbytes for tensor in tensors if tensor.dim())

    load("smalltune.methods", "lora")().attach(tiny)
    work = flops_of(tiny, backward=True), activation_bytes(tiny)
    load("smalltune.methods", "lora")().detach(tiny)
    wide = size()
    quantise(tiny, "nf4-double")
    assert size() < wide * 0.17  # a half byte for four, and the scales
    load("smalltune.methods", "qlora")().attach(tiny)
    assert (flops_of(tiny, backward=True), activation_bytes(tiny)) == work
    assert route_of(tiny) == "lean"


def test_under_bfloat16_products_are_in_bfloat16(tiny):
    quantise(tiny, "nf4")
    states = torch.randn(5, 32).requires_grad_()
    layer = layer_of(tiny)
    with precision("bfloat16", "cpu"):
        answer = layer(states)
    answer.float().sum().backward()
    wide = layer.widened(torch.float32)
    assert answer.dtype == torch.bfloat16 and states.grad.dtype == torch.float32
    torch.testing.assert_close(answer.float(), states @ wide.T, rtol=2e-2, atol=2e-2)
    torch.testing.assert_close(states.grad, wide.sum(0).expand(5, 32), rtol=2e-2, atol=2e-2)


def test_a_killed_training_over_four_bits_ends_in_the_same_bits(tiny_folder, tmp_path):
    def attach(model):
        quantise(model, "nf4-double")
        load("smalltune.methods", "qlora")(dropout=0.3).attach(model)

    for name in "ab":
        (tmp_path / name).mkdir()
    whole = run(tiny_folder, tmp_path / "a", attach=attach)
    killed = run(tiny_folder, tmp_path / "b", attach=attach, kill_at=(4, 17))
    assert whole[:2] == killed[:2]


def test_a_mixture_of_many_experts_is_refused():
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder_of("micro-deepseek"), n_routed_experts=48)
    with pytest.raises(EngineError, match="layers of its own kind"):
        quantise(AutoModelForCausalLM.from_config(config), "nf4")


def test_a_method_that_needs_four_bits_says_so_over_a_wide_base(tiny):
    with (
        pytest.raises(EngineError, match="must be float32, not nf4"),
        Bench().base("path:x", "d", 0, changes=True, quantised="nf4"),
    ):
        pass
    with pytest.raises(MethodError, match="the base is not in four bits"):
        load("smalltune.methods", "qlora")().attach(tiny)


def test_a_bench_keeps_a_base_of_each_format_apart(tiny_folder):
    bench, kept = Bench(device="cpu"), []
    for form in ("", "nf4", "", "nf4"):
        with bench.base(f"path:{tiny_folder}", "digest", 0, changes=False, quantised=form) as base:
            assert is_quantised(base) == bool(form)
            kept.append(base)
    assert kept[0] is kept[2] and kept[1] is kept[3]
    lent = bench.base(f"path:{tiny_folder}", "digest", 0, False, quantised="nf4")
    with pytest.raises(EngineError, match="came back with other weights"), lent as base:
        layer_of(base).scales += 1


def test_plain_transformers_answers_alike_in_evaluation_within_bfloat16():
    """On some CPUs bitsandbytes multiplies so there, in blocks of 32 rows and 64 columns."""
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    folder = folder_of("micro-llama", hidden_size=64, head_dim=16)
    ours, ids = load_model(folder), torch.arange(20)[None]
    quantise(ours, "nf4-double")
    told = BitsAndBytesConfig(**plainly_loaded("nf4-double"))
    plain = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, quantization_config=told
    )
    with torch.no_grad():
        exact, wanted = plain.train()(input_ids=ids).logits, ours(input_ids=ids).logits
        near = plain.eval()(input_ids=ids).logits
    torch.testing.assert_close(exact, wanted, rtol=1e-4, atol=1e-5)
    assert (near - wanted).norm() < 0.02 * wanted.norm()
