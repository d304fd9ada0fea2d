"""What is generated is what Transformers' own `generate` gives, however it is computed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from smalltune.core.errors import EngineError
from smalltune.engine import choosing, generation, prefixes
from smalltune.engine import decoding as lean
from smalltune.engine.generation import Decoding, generate
from smalltune.engine.segments import Segments

STORIES = Path(__file__).parents[3] / "shared" / "checkpoints" / "stories260K"
WORDS = 96
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.4,
}
LATENT = {
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "moe_intermediate_size": 16,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "n_group": 2,
    "topk_group": 1,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "num_key_value_heads": 4,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
FAMILIES = {
    "llama": ("LlamaConfig", {}),
    "llama3": ("LlamaConfig", {"rope_parameters": LLAMA3, "tie_word_embeddings": True}),
    "qwen2": ("Qwen2Config", {}),
    "qwen3": ("Qwen3Config", {"head_dim": 16}),
    "deepseek_v3": ("DeepseekV3Config", LATENT),
}
OTHERS = {
    "gpt2": ("GPT2Config", {"n_positions": 128}),
    "mistral": ("MistralConfig", {"sliding_window": 6}),
    "gemma2": ("Gemma2Config", {"head_dim": 8, "sliding_window": 6, "query_pre_attn_scalar": 8}),
    "bloom": ("BloomConfig", {}),
    "mamba": ("MambaConfig", {"state_size": 4}),
    "dynamic": (
        "LlamaConfig",
        {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 10000.0, "factor": 2.0}},
    ),
}
ENDS = tuple(range(5, WORDS, 12))


def build(name):
    """A model with random weights, large enough that its texts differ."""
    import transformers

    kind, more = {**FAMILIES, **OTHERS}[name]
    torch.manual_seed(0)
    config = getattr(transformers, kind)(**{**SMALL, **more})
    model = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    model.config.use_cache = False
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def model(request):
    return build(request.param)


def some(lengths=(9, 3, 14, 9, 1, 22, 6), seed=0, words=WORDS):
    rng = np.random.default_rng(seed)
    return of([rng.integers(1, words, size=n) for n in lengths])


def of(prompts):
    return Segments.of(prompts, [1] * len(prompts), [0] * len(prompts))


def reference(model, prompts, decoding, ends):
    """Transformers' `generate`, one prompt at a time: tokens and whether the text ended."""
    found = []
    for i in range(len(prompts)):
        ids = torch.from_numpy(prompts[i].astype(np.int64))[None]
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=decoding.longest,
                num_beams=decoding.beams,
                length_penalty=decoding.length_penalty if decoding.beams > 1 else None,
                early_stopping=False if decoding.beams > 1 else None,
                do_sample=False,
                use_cache=model.config.model_type != "mamba" or decoding.beams == 1,
                eos_token_id=list(ends) or None,
                pad_token_id=0,
            )
        text = out[0, ids.shape[1] :].tolist()
        stop = next((j for j, token in enumerate(text) if token in ends), None)
        found.append((tuple(text[:stop]), stop is not None))
    return found


def texts(found):
    return [(each.tokens, each.ended) for each in found]


def plain_log_prob(model, prompt, generated, ends=()):
    """The sum over the generated tokens by one plain forward; the best end token if it ended.

    It is read from the right: something may stand before the prompt.
    """
    ids = torch.tensor([[*prompt.tolist(), *generated.tokens]])
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[0]
    logs = torch.log_softmax(logits.double(), dim=-1)[-1 - len(generated.tokens) :]
    total = sum(float(logs[j, token]) for j, token in enumerate(generated.tokens))
    return total + (float(logs[-1, list(ends)].max()) if ends and generated.ended else 0.0)


@pytest.mark.parametrize("model", FAMILIES, indirect=True)
@pytest.mark.parametrize("ends", [(), ENDS])
def test_greedy_text_is_that_of_transformers(model, ends):
    decoding = Decoding(longest=12)
    found = texts(generate(model, some(), decoding, ends=ends))
    assert found == reference(model, some(), decoding, ends)
    assert len({tokens for tokens, _ in found}) > 4


@pytest.mark.parametrize("model", FAMILIES, indirect=True)
@pytest.mark.parametrize(
    ("beams", "penalty", "ends"),
    [(4, 1.0, ENDS), (3, 0.0, ENDS[:1]), (2, -1.5, ENDS), (3, 2.0, ())],
)
def test_beam_search_is_that_of_transformers(model, beams, penalty, ends):
    decoding = Decoding(longest=9, beams=beams, length_penalty=penalty)
    found = texts(generate(model, some(), decoding, ends=ends))
    assert found == reference(model, some(), decoding, ends)


@pytest.mark.parametrize("model", OTHERS, indirect=True)
@pytest.mark.parametrize("beams", [1, 3])
def test_any_causal_model_generates_as_by_transformers(model, beams):
    decoding = Decoding(longest=8, beams=beams)
    found = texts(generate(model, some(), decoding, ends=ENDS))
    assert found == reference(model, some(), decoding, ENDS)


@pytest.mark.parametrize("beams", [1, 4])
def test_a_real_checkpoint_tells_the_stories_it_tells_in_transformers(beams):
    from smalltune.models.loading import load_model, load_tokeniser

    if not (STORIES / "model.safetensors").is_file():
        pytest.skip("../shared/checkpoints/stories260K is not there")
    model, tokeniser = load_model(STORIES), load_tokeniser(STORIES)
    said = ["Once upon a time", "Lily", "The dog saw a big red ball and", "One day, Tom went to"]
    prompts = of([tokeniser(text)["input_ids"] for text in said])
    decoding = Decoding(longest=40, beams=beams)
    end = tokeniser("a.").input_ids[-1]  # stop at the full stop
    found = texts(generate(model, prompts, decoding, ends=[end, 2]))
    assert found == reference(model, prompts, decoding, (end, 2))
    assert any(ended for _, ended in found)


@pytest.mark.parametrize("model", ["llama", "qwen3", "deepseek_v3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 3])
def test_the_text_is_the_same_whatever_the_batch_size(model, beams):
    prompts = some(np.random.default_rng(2).integers(1, 30, size=16).tolist())
    decoding = Decoding(longest=10, beams=beams)
    alone = generate(model, prompts, decoding, ends=ENDS, budget=1)
    for budget in (300, 100_000):
        together = generate(model, prompts, decoding, ends=ENDS, budget=budget)
        assert texts(together) == texts(alone)
        for a, b in zip(together, alone, strict=True):
            tokens = len(b.tokens) + b.ended  # each adds the rounding of one float32
            assert a.log_prob == pytest.approx(b.log_prob, rel=0, abs=1e-5 * tokens)
    assert len({len(each.tokens) for each in alone}) > 3


@pytest.mark.parametrize("model", ["llama", "qwen3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 4])
def test_the_lean_way_and_the_library_give_the_same(model, beams, monkeypatch):
    decoding = Decoding(longest=16, beams=beams)
    assert lean.decodes_lean(model)
    fast = generate(model, some(), decoding, ends=ENDS)
    monkeypatch.setattr(generation, "decodes_lean", lambda model: False)
    slow = generate(model, some(), decoding, ends=ENDS)
    assert texts(fast) == texts(slow)
    for a, b in zip(fast, slow, strict=True):
        assert a.log_prob == pytest.approx(b.log_prob, abs=1e-4)


@pytest.mark.parametrize("model", ["llama", "deepseek_v3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("ends", [(), ENDS])
def test_log_probabilities_are_those_of_a_plain_forward(model, beams, ends):
    found = generate(model, some(), Decoding(longest=10, beams=beams), ends=ends)
    for i, each in enumerate(found):
        assert each.log_prob == pytest.approx(
            plain_log_prob(model, some()[i], each, ends), abs=1e-4
        )


@pytest.mark.parametrize("model", ["llama", "deepseek_v3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 4])
def test_an_end_token_at_once_gives_an_empty_text(model, beams):
    (plain,) = generate(model, some([8]), Decoding(longest=1), ends=[])
    decoding = Decoding(longest=6, beams=beams, length_penalty=0.0)
    (found,) = generate(model, some([8]), decoding, ends=plain.tokens)
    assert (found.tokens, found.ended) == ((), True)
    assert found.log_prob == pytest.approx(plain.log_prob, abs=1e-6)


@pytest.mark.parametrize("model", ["llama", "deepseek_v3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_text_without_an_end_is_as_long_as_allowed(model, beams):
    found = generate(model, some(), Decoding(longest=11, beams=beams), ends=[])
    assert [(len(each.tokens), each.ended) for each in found] == [(11, False)] * len(some())


@pytest.mark.parametrize("model", ["llama"], indirect=True)
@pytest.mark.parametrize("beams", [1, 2])
def test_a_text_ends_where_the_context_is_full(model, beams):
    decoding = Decoding(longest=10, beams=beams)
    found = generate(model, some([127, 120, 125, 30]), decoding, ends=[])
    assert [len(each.tokens) for each in found] == [1, 8, 3, 10]
    alone = generate(model, some([127, 120, 125, 30]).take(np.array([2])), decoding, ends=[])
    assert texts(alone) == texts(found)[2:3]


@pytest.mark.parametrize("model", ["llama"], indirect=True)
def test_what_cannot_be_continued_is_refused(model):
    with pytest.raises(EngineError, match=r"prompt 1 has 128 tokens.*cut it to 127"):
        generate(model, some([5, 128]), Decoding(), ends=[])
    with pytest.raises(EngineError, match="prompt 0 is empty"):
        generate(model, some([0, 5]), Decoding(), ends=[])
    with pytest.raises(EngineError, match="88 tokens"):
        generate(model, some(), Decoding(beams=89), ends=ENDS)
    assert generate(model, some([]), Decoding(), ends=ENDS) == []


@pytest.mark.parametrize("beams", [1, 2])
def test_logits_that_are_not_numbers_are_an_error(beams):
    model = build("llama")
    model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(EngineError, match="not numbers"):
        generate(model, some([4, 6]), Decoding(longest=3, beams=beams), ends=[])


@pytest.mark.parametrize("name", ["longest", "beams"])
def test_a_decoding_without_tokens_or_beams_is_refused(name):
    with pytest.raises(EngineError, match=f"{name} must be at least 1"):
        Decoding(**{name: 0})


@pytest.mark.parametrize("model", ["llama", "qwen3"], indirect=True)
@pytest.mark.parametrize("beams", [1, 3])
def test_a_prefix_that_all_prompts_share_is_read_once(model, beams, monkeypatch):
    prefix = some([40], seed=7)[0]
    prompts = of([np.concatenate([prefix, some()[i]]) for i in range(len(some()))])
    decoding = Decoding(longest=9, beams=beams)
    read = []

    def spy(model, packed, **options):
        read.append(len(packed.ids))
        return states(model, packed, **options)

    states = lean.lean_states
    monkeypatch.setattr(lean, "lean_states", spy)
    monkeypatch.setattr(prefixes, "lean_states", spy)
    found = texts(generate(model, prompts, decoding, ends=ENDS))
    assert sum(read) == 40 + some().lengths.sum()
    assert found == reference(model, prompts, decoding, ENDS)


@pytest.mark.parametrize("model", ["llama"], indirect=True)
def test_prompts_that_are_all_the_same_get_the_same_text(model):
    prompts = of([some([30])[0]] * 5)
    found = texts(generate(model, prompts, Decoding(longest=8), ends=ENDS))
    assert found == reference(model, prompts, Decoding(longest=8), ENDS)


@pytest.mark.parametrize("beams", [1, 3])
def test_adapters_count(beams):
    from peft import LoraConfig, inject_adapter_in_model

    model = build("llama")
    decoding = Decoding(longest=8, beams=beams)
    before = texts(generate(model, some(), decoding, ends=ENDS))
    torch.manual_seed(1)
    options = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    inject_adapter_in_model(options, model)
    model.eval()
    after = texts(generate(model, some(), decoding, ends=ENDS))
    assert lean.decodes_lean(model)
    assert after == reference(model, some(), decoding, ENDS)
    assert after != before


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("words", [300, 8192, 10_000])
def test_the_best_next_tokens_are_found_a_piece_of_the_vocabulary_at_a_time(count, words):
    head, states = some_head(words)
    expected = torch.log_softmax(head(states).double(), dim=-1).topk(count, dim=-1)
    for values, tokens in (
        choosing.best_of_head(head, states, choosing.Wanted(count)),
        choosing.best_of_logits(head(states), choosing.Wanted(count)),
    ):
        assert tokens.tolist() == expected.indices.tolist()
        torch.testing.assert_close(values, expected.values, rtol=0, atol=1e-5)


def test_a_head_with_a_forward_of_its_own_is_called_for_the_next_tokens():
    head, states = some_head(300)
    plain = head.forward
    head.forward = lambda given: plain(given).flip(1)
    expected = torch.log_softmax(head(states).double(), dim=-1).topk(3, dim=-1)
    values, tokens = choosing.best_of_head(head, states, choosing.Wanted(3))
    assert tokens.tolist() == expected.indices.tolist()
    torch.testing.assert_close(values, expected.values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("ends", [[3], [0, 7, 299], range(10_000)[100:300]])
def test_end_tokens_are_chosen_apart_from_the_others(ends):
    head, states = some_head(10_000)
    logs = torch.log_softmax(head(states).double(), dim=-1)
    ending = torch.zeros(10_000, dtype=torch.bool)
    ending[list(ends)] = True
    values, tokens = choosing.best_of_head(head, states, choosing.Wanted(5, torch.tensor(ends)))
    last = logs.masked_fill(~ending, -torch.inf).topk(min(5, len(ends)), dim=-1)
    others = logs.masked_fill(ending, -torch.inf).topk(5, dim=-1)
    assert tokens.tolist() == torch.cat((others.indices, last.indices), dim=1).tolist()
    expected = torch.cat((others.values, last.values), dim=1)
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-5)


def some_head(words):
    generator = torch.Generator().manual_seed(words)
    head = torch.nn.Linear(16, words).requires_grad_(False)
    head.weight.normal_(generator=generator)
    return head, torch.randn(6, 16, generator=generator)


@pytest.mark.parametrize("words", [300, 10_000])
def test_of_equal_logits_the_first_token_is_taken_as_by_argmax(words):
    logits = torch.zeros(3, words)
    logits[1, [70, 250, words - 1]] = 1.0
    logits[2, words - 1] = 1.0
    found = choosing.best_of_logits(logits, choosing.Wanted(1))[1]
    assert found.flatten().tolist() == [0, 70, words - 1]


@pytest.mark.parametrize("prefix", [0, 40])
@pytest.mark.parametrize("beams", [1, 3])
def test_half_precision_goes_the_same_way(prefix, beams):
    model = build("qwen3")
    start = some([prefix], seed=7)[0]
    prompts = of([np.concatenate([start, some()[i]]) for i in range(len(some()))])
    decoding = Decoding(longest=3, beams=beams)
    whole = generate(model, prompts, decoding, ends=[])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = generate(model, prompts, decoding, ends=[])
    same = [(a, b) for a, b in zip(half, whole, strict=True) if a.tokens == b.tokens]
    assert len(same) > len(prompts) / 2  # where two tokens are as likely, rounding decides
    for a, b in same:
        assert a.log_prob != b.log_prob
        assert a.log_prob == pytest.approx(b.log_prob, abs=0.5)


def test_a_hook_that_the_lean_way_would_pass_by_is_heard():
    model = build("llama")
    heard = []
    layer = model.model.layers[1]
    layer.register_forward_hook(lambda module, given, found: heard.append(found) or found * 0.5)
    assert not lean.decodes_lean(model)
    decoding = Decoding(longest=6)
    assert texts(generate(model, some(), decoding, ends=[])) == reference(
        model, some(), decoding, []
    )
    assert heard


@pytest.mark.parametrize("beams", [1, 2])
def test_tokens_that_a_hook_puts_in_front_are_put_there_once(beams):
    model = build("llama")
    extra = torch.randn(1, 3, 32, generator=torch.Generator().manual_seed(3))

    def prepend(module, args, options):
        states = module.embed_tokens(options.pop("input_ids"))
        states = torch.cat((extra.expand(len(states), -1, -1), states), dim=1)
        return args, {**options, "inputs_embeds": states, "attention_mask": None}

    model.model.register_forward_pre_hook(prepend, with_kwargs=True)
    prompts = some([4, 9, 4])
    found = generate(model, prompts, Decoding(longest=5, beams=beams), ends=[])
    for i, each in enumerate(found):
        assert each.log_prob == pytest.approx(plain_log_prob(model, prompts[i], each), abs=1e-4)
