"""Which route a model takes, and that nothing attached to it is passed over."""

import copy

import numpy as np
import pytest
import torch
from engine.plainly import LEAN, apart, built, gradients, lively, loss_of, some, states_of

from smalltune.core.errors import EngineError
from smalltune.engine import generation
from smalltune.engine.attention import Unfit
from smalltune.engine.decoder import decoder_of
from smalltune.engine.decoding import decodes_lean
from smalltune.engine.dropout import dropout_per_item
from smalltune.engine.forward import answer_loss, hidden_at
from smalltune.engine.generation import Decoding, generate
from smalltune.engine.packing import pack
from smalltune.engine.routes import route_of
from smalltune.methods.lora import LoRA

SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 256, "head_dim": 8,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 4096, "bos_token_id": 1}
LLAMA4 = {**SMALL, "intermediate_size_mlp": 48, "num_local_experts": 2, "num_experts_per_tok": 1}
MODERN = {**SMALL, "global_attn_every_n_layers": 2, "cls_token_id": 1, "sep_token_id": 2}
CONV = {"layer_types": ["conv", "full_attention"]}


def other(kind, **fields):
    """Return a small model of another architecture."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(kind, **fields)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    return lively(model).eval()


def check(model, data=None):
    """Hold the route that a model takes against the plain way."""
    data = some([4, 50, 9, 33, 9]) if data is None else data
    expected = loss_of(model, data)
    slopes = gradients(model, expected)
    found = answer_loss(model, pack(data, range(len(data)), "cpu"))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)
    assert apart(gradients(model, found), slopes) < 1e-5


@pytest.mark.parametrize("name", LEAN)
def test_the_known_families_run_lean_also_with_lora_and_frozen(name):
    model = built(name)
    assert route_of(model) == "lean"
    LoRA(target=("q_proj", "down_proj")).attach(model.requires_grad_(False))
    assert route_of(model) == "lean"
    LoRA().detach(model)
    assert route_of(model.eval()) == "lean"


@pytest.mark.parametrize(
    ("kind", "fields", "route"),
    [
        ("gpt2", GPT2, "packed"),
        ("phi3", SMALL, "packed"),
        ("granite", {**SMALL, "logits_scaling": 4.0}, "packed"),
        ("cohere", SMALL, "packed"),
        ("mixtral", {**SMALL, "num_local_experts": 2}, "packed"),
        ("mistral", {**SMALL, "sliding_window": 20}, "padded"),
        ("mistral", {**SMALL, "sliding_window": 80}, "packed"),
        ("qwen2", {**SMALL, "use_sliding_window": True, "sliding_window": 20,
                   "max_window_layers": 1}, "padded"),
        ("gemma2", SMALL, "padded"),
        ("gpt_oss", {**SMALL, "num_local_experts": 2, "num_experts_per_tok": 1}, "padded"),
        ("bloom", {"hidden_size": 32, "n_layer": 2, "n_head": 4, "vocab_size": 4096}, "padded"),
        ("lfm2", {**SMALL, **CONV}, "padded"),
        ("llama4_text", {**LLAMA4, "attention_chunk_size": 20}, "padded"),
        ("llama4_text", {**LLAMA4, "attention_chunk_size": 80}, "packed"),
        ("modernbert-decoder", {**MODERN, "local_attention": 16}, "padded"),
        ("modernbert-decoder", {**MODERN, "local_attention": 128}, "packed"),
    ],
)  # fmt: skip
def test_every_architecture_takes_a_route_that_is_right(kind, fields, route):
    model = other(kind, **fields)
    assert route_of(model, 50) == route
    check(model)


def test_a_hook_on_a_layer_is_called():
    model = built("micro-llama")
    met = []
    hook = model.model.layers[1].register_forward_hook(lambda *_: met.append(1))
    assert route_of(model) == "packed"
    check(model)
    met.clear()
    answer_loss(model, pack(some([4, 9]), [0, 1], "cpu"))
    assert met == [1]
    hook.remove()
    assert route_of(model) == "lean"


def test_an_attention_that_somebody_replaced_is_called():
    model = built("micro-qwen")
    attention = model.model.layers[0].self_attn
    whole = attention.forward
    attention.forward = lambda *args, **more: (0.5 * whole(*args, **more)[0], None)
    assert route_of(model) == "packed"
    check(model)


def test_what_adds_tokens_hooks_the_decoder_and_finds_padded_rows():
    model = built("micro-llama")
    virtual = torch.nn.Parameter(torch.randn(3, model.config.hidden_size))

    def before(decoder, args, given):
        ids = given.pop("input_ids")
        front = virtual.expand(len(ids), -1, -1)
        return args, {**given, "inputs_embeds": torch.cat((front, decoder.embed_tokens(ids)), 1)}

    model.model.register_forward_pre_hook(before, with_kwargs=True)
    assert route_of(model) == "padded"
    data = some([9, 5])
    packed = pack(data, [0, 1], "cpu")
    alone = model.model(input_ids=packed.ids[4:][None]).last_hidden_state[0, 3:]
    mine = packed.owners == 1
    expected = alone[packed.read[mine] - 4]
    torch.testing.assert_close(hidden_at(model, packed)[mine], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", ["mlp", "input_layernorm", "post_attention_layernorm", "norm"])
def test_a_hook_on_a_norm_or_an_mlp_is_called(part):
    model = built("micro-llama")
    module = model.model.norm if part == "norm" else getattr(model.model.layers[1], part)
    module.register_forward_hook(lambda module, args, found: 0.7 * found)
    assert route_of(model) == "lean"
    check(model)


@pytest.mark.parametrize("name", ["micro-llama", "micro-deepseek"])
def test_gradient_checkpointing_changes_nothing(name):
    model = built(name)
    data = some([4, 50, 9, 33, 9])
    packed = pack(data, range(5), "cpu")
    expected = gradients(model, answer_loss(model, packed))
    enable = getattr(model, "activation_checkpointing_enable", None)
    (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
    assert apart(gradients(model, answer_loss(model, packed)), expected) < 1e-6


@pytest.mark.parametrize("scaling", ["linear", "dynamic", "llama3", "yarn", "longrope"])
def test_every_kind_of_rotary_embedding_is_the_models_own(scaling):
    parameters = {
        "rope_type": scaling, "rope_theta": 10000.0, "factor": 4.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
        "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 4.0, 5.0],
    }  # fmt: skip
    model = other("llama", **{**SMALL, "rope_parameters": parameters})
    assert route_of(model, 50) == ("packed" if scaling in ("dynamic", "longrope") else "lean")
    check(model, some([30, 50, 9]))


@pytest.mark.parametrize(("scaling", "still"), [("dynamic", 60), ("longrope", 40)])
def test_where_angles_follow_the_longest_text_nothing_is_packed(scaling, still):
    parameters = {
        "rope_type": scaling, "rope_theta": 10000.0, "factor": 4.0,
        "original_max_position_embeddings": 40, "short_factor": [1.0] * 4,
        "long_factor": [2.0, 3.0, 4.0, 5.0],
    }  # fmt: skip
    fields = {**SMALL, "max_position_embeddings": 60, "rope_parameters": parameters}
    model = other("llama", **fields)
    assert [route_of(model, n) for n in (still, still + 1)] == ["packed", "padded"]
    assert not decodes_lean(model)
    data = some([still + 20, 9])
    check(model, data)
    (alone,) = states_of(model, data.take(np.array([1])))  # what was long before is forgotten
    found = hidden_at(model, pack(data, [1], "cpu"))
    torch.testing.assert_close(found, alone[data.answers[1] - 1 : -1], rtol=1e-4, atol=1e-5)


def test_attention_that_drops_probabilities_is_not_packed_while_it_does():
    dropping = other("gpt2", **GPT2, attn_pdrop=0.3, resid_pdrop=0.0, embd_pdrop=0.0).train()
    whole = other("gpt2", **GPT2, attn_pdrop=0.0, resid_pdrop=0.3, embd_pdrop=0.3).train()
    with dropout_per_item(dropping, 0), dropout_per_item(whole, 0):
        assert [route_of(dropping), route_of(whole)] == ["padded", "packed"]
        assert route_of(dropping.eval()) == "packed"
    assert route_of(dropping.eval()) == "packed"


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_plain_adapters_and_those_with_dropout_are_computed_as_by_peft(dropout):
    model = built("micro-llama").requires_grad_(False)
    LoRA(dropout=dropout, rank=4).attach(model)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.forward = lambda states: states * (states > 0)  # the same in every route
    data = some([4, 50, 9])
    packed = pack(data, range(3), "cpu")
    found, expected = (
        gradients(model, answer_loss(model, packed, route=route)) for route in ("lean", "padded")
    )
    assert apart(found, expected) < 1e-5


def test_bfloat16_gives_the_same_to_its_own_precision():
    model = built("micro-llama").eval()
    packed = pack(some([4, 50, 9]), range(3), "cpu")
    with torch.no_grad():
        exact = hidden_at(model, packed)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with torch.no_grad():
            cast = [hidden_at(model, packed, route=route).float() for route in ("lean", "padded")]
        losses = [answer_loss(model, packed, route=route) for route in ("lean", "padded")]
    errors = [float((states - exact).norm() / exact.norm()) for states in cast]
    assert 0 < errors[0] < 1.5 * errors[1]
    torch.testing.assert_close(losses[0], losses[1], rtol=2e-2, atol=0)
    losses[0].backward()


def test_a_route_that_is_asked_for_by_name_is_not_exchanged():
    model = other("gemma2", **SMALL)
    with pytest.raises(Unfit, match="softcap"):
        hidden_at(model, pack(some([4, 9]), [0, 1], "cpu"), route="packed")


def test_the_attention_implementation_is_the_models_own_again():
    model = built("micro-deepseek")
    before = copy.deepcopy(model.config.to_dict()), model.config._attn_implementation
    answer_loss(model, pack(some([4, 9]), [0, 1], "cpu"))
    assert (model.config.to_dict(), model.config._attn_implementation) == before


def test_a_model_without_a_decoder_of_tokens_is_refused():
    class Alone(torch.nn.Module):
        def forward(self, input_ids):
            return input_ids

        def get_decoder(self):
            return self

        base_model = property(get_decoder)

    with pytest.raises(EngineError, match="a Alone has no decoder that makes hidden states"):
        decoder_of(Alone())


def own_norm(norm):
    """Return a norm of somebody's own in place of Transformers': half of what that one gives."""

    class OwnRMSNorm(type(norm)):
        def forward(self, states):
            return 0.5 * super().forward(states)

    made = OwnRMSNorm(len(norm.weight), norm.variance_epsilon)
    made.load_state_dict(norm.state_dict())
    return made


def library_norm(norm):
    """Return PyTorch's norm, which has no `variance_epsilon`."""
    made = torch.nn.RMSNorm(len(norm.weight), eps=0.3)
    made.load_state_dict(norm.state_dict())
    return made


@pytest.mark.parametrize("make", [own_norm, library_norm])
@pytest.mark.parametrize("name", ["micro-llama", "micro-qwen"])
def test_a_norm_that_is_not_transformers_own_is_called(name, make, monkeypatch):
    model, data = built(name), some([4, 30, 9])
    before = loss_of(model, data)
    for module in list(model.modules()):
        for part, child in list(module.named_children()):
            if "RMSNorm" in type(child).__name__:
                setattr(module, part, make(child))
    assert route_of(model) == "lean"
    check(model, data)
    expected = loss_of(model, data)
    assert abs(float((expected - before).detach())) > 1e-3
    packed = pack(data, range(3), "cpu")
    torch.testing.assert_close(
        answer_loss(model, packed, route="packed"), expected, rtol=1e-5, atol=0
    )
    written = generate(model.eval(), data, Decoding(longest=8), ends=[])
    monkeypatch.setattr(generation, "decodes_lean", lambda model: False)
    assert [each.tokens for each in written] == [
        each.tokens for each in generate(model, data, Decoding(longest=8), ends=[])
    ]
