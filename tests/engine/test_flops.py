"""The closed form counts what PyTorch counts, one product of matrices after another."""

from functools import cache
from itertools import count

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from smalltune.core.plugins import load
from smalltune.engine import lean, peak
from smalltune.engine.flops import Flops, Work, asking, flops_of, learning
from smalltune.engine.forward import answer_loss
from smalltune.engine.fronts import fed_by
from smalltune.engine.packing import pack
from smalltune.engine.peak import matmul_peak
from smalltune.engine.scoring import label_log_probs
from smalltune.engine.segments import Segments


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=512, hidden_size=64, intermediate_size=96, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=False,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return LlamaForCausalLM(config)


def deepseek():
    """Latent attention and a mixture of experts, which count one by one."""
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    config = DeepseekV3Config(
        vocab_size=64, hidden_size=32, intermediate_size=48, moe_intermediate_size=16,
        num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, q_lora_rank=8,
        kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8, n_routed_experts=4,
        n_shared_experts=1, num_experts_per_tok=2, n_group=1, topk_group=1,
        first_k_dense_replace=1, tie_word_embeddings=False, pad_token_id=0, bos_token_id=0,
        eos_token_id=0,
    )  # fmt: skip
    model = DeepseekV3ForCausalLM(config)
    model.set_experts_implementation("eager")
    return model


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=2, n_embd=32, n_head=4, vocab_size=256, attn_pdrop=0, resid_pdrop=0, embd_pdrop=0,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config)


def texts(length, n=16, first=1):
    rng = np.random.default_rng(0)
    sequences = [rng.integers(1, 60, size=length) for _ in range(n)]
    return Segments.of(sequences, [first] * n, [0] * n)


def counted(model, data):
    """Return the operations of a forward and of its backward, as they are executed."""
    model.config.use_cache = False
    model.set_attn_implementation("eager")
    ids = torch.from_numpy(np.stack([data[i][:-1] for i in range(len(data))]).astype(np.int64))
    with FlopCounterMode(display=False) as forward:
        states = model.get_decoder()(input_ids=ids, use_cache=False).last_hidden_state
        loss = model.get_output_embeddings()(states).sum()
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    return forward.get_total_flops(), backward.get_total_flops()


METHODS = [("full", {}), ("lora", {}), ("lora", {"target": ("q_proj", "v_proj")})]


@pytest.mark.parametrize(("method", "options"), METHODS)
@pytest.mark.parametrize("make", [llama, deepseek, gpt2])
def test_single_tokens_cost_what_is_counted(make, method, options):
    """A text of one fed token sees itself only, in the eager attention too."""
    model = make().requires_grad_(False).train()
    if make is gpt2 and options:
        options = {"target": ("c_attn",)}
    if make is deepseek and method == "lora":
        options = {"target": ("q_b_proj", "kv_a_proj_with_mqa", "o_proj")}
    load("smalltune.methods", method)(**options).attach(model)
    data = texts(2)
    forward, backward = counted(model, data)
    found = flops_of(model).of(learning(data))
    both = flops_of(model, backward=True).of(learning(data))
    assert found == pytest.approx(forward, rel=1e-9)
    assert both - found == pytest.approx(backward, rel=0.01)
    if method == "full":
        assert both == pytest.approx(3 * found, rel=1e-9)


def test_longer_texts_add_half_the_square_of_attention():
    model = llama().requires_grad_(True).train()
    data = texts(33)
    forward, _ = counted(model, data)
    heads, width, layers, square = 4, 16, 3, 16 * 32 * 32
    unseen = layers * 2 * heads * 2 * width * (square - learning(data).pairs)
    assert flops_of(model).of(learning(data)) == pytest.approx(forward - unseen, rel=1e-9)


def test_the_last_layer_and_the_head_count_where_a_state_is_read(monkeypatch):
    """Our own forward leaves out what is not read; attention, a kernel of its own, is taken out."""
    monkeypatch.setattr(lean, "attend", lambda q, k, v, layout, **more: q)
    model = llama().requires_grad_(False).eval()
    data = texts(33, first=32)
    packed = pack(data, range(16), "cpu")
    answer_loss(model, packed, route="lean")  # a head is tried when it is first met
    with FlopCounterMode(display=False) as counter:
        answer_loss(model, packed, route="lean")
    found = flops_of(model)
    without = Flops(found.per_token, 0.0, found.per_read, 0.0)
    assert without.of(learning(data)) == pytest.approx(counter.get_total_flops(), rel=1e-9)
    assert learning(data).read == 16


def test_label_rows_cost_less_than_the_vocabulary():
    model = llama()
    prompts = texts(10)
    work = asking(prompts, [[5], [6], [7]])
    assert work == Work(tokens=160, pairs=16 * 55, read=16, read_pairs=160)
    spared = flops_of(model).of(work) - flops_of(model, rows=3).of(work)
    assert spared == 2 * 64 * (512 - 3) * 16


def test_further_tokens_of_labels_follow_the_prompt():
    work = asking(texts(10, n=1), [[5], [6, 8, 9]])
    assert work == Work(tokens=12, pairs=55 + 11 + 12, read=3, read_pairs=10 + 11 + 12)


def test_the_work_of_batches_adds_up_to_that_of_the_data():
    rng = np.random.default_rng(1)
    sequences = [rng.integers(1, 60, size=rng.integers(3, 30)) for _ in range(20)]
    data = Segments.of(sequences, [int(rng.integers(0, len(s))) for s in sequences], [0] * 20)
    parts = [learning(data, np.array(batch)) for batch in (range(7), range(7, 20))]
    assert parts[0] + parts[1] == learning(data)
    packed = pack(data, range(20), "cpu")
    whole = learning(data)
    assert (whole.tokens, whole.read) == (len(packed.ids), len(packed.read))
    assert whole.pairs == int((packed.positions + 1).sum())
    assert whole.read_pairs == int((packed.positions[packed.read] + 1).sum())


def test_a_model_without_attention_counts_its_matrices():
    from transformers import MambaConfig, MambaForCausalLM

    config = MambaConfig(
        vocab_size=64, hidden_size=16, state_size=4, num_hidden_layers=2, bos_token_id=0,
        eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    found = flops_of(MambaForCausalLM(config))
    assert found.per_pair == found.per_read_pair == 0
    assert found.per_token > 0


def behind(front, data):
    """Return the texts with the tokens `front` before each."""
    whole = [np.concatenate([front, data[i]]) for i in range(len(data))]
    return Segments.of(whole, (data.answers + len(front)).tolist(), [0] * len(data))


@pytest.mark.parametrize("labels", [[[5], [6]], [[5], [6, 8, 9]]])
def test_what_all_texts_begin_with_is_needed_once(labels):
    own, beginning = texts(10, n=4, first=7), np.arange(30)
    whole = behind(beginning, own)
    alone = Work.of(30)
    assert alone == Work(tokens=30, pairs=30 * 31 // 2)
    for work in (learning, lambda data, **how: asking(data, labels, **how)):
        repeated, shared = work(whole), work(whole, shared=30)
        assert repeated.tokens - shared.tokens == 3 * 30
        assert repeated.pairs - shared.pairs == 3 * alone.pairs
        assert (repeated.read, repeated.read_pairs) == (shared.read, shared.read_pairs)
        assert work(own, front=30) + alone == shared
        assert work(whole, shared=30, front=5) == work(own, front=35) + Work.of(30, behind=5)


def test_operations_of_a_shared_beginning_are_those_executed(monkeypatch):
    monkeypatch.setattr(lean, "attend", lambda q, k, v, layout, **more: q)
    model = llama().requires_grad_(False).eval()
    prompts = behind(np.arange(64), texts(9))
    labels = [[5], [6], [7]]
    label_log_probs(model, prompts, labels)  # a head is tried when it is first met
    with FlopCounterMode(display=False) as counter:
        label_log_probs(model, prompts, labels)
    found = flops_of(model, rows=3)
    without = Flops(found.per_token, 0.0, found.per_read, 0.0)
    once, repeated = (without.of(asking(prompts, labels, shared=n)) for n in (64, 0))
    assert once == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert repeated > 3 * once


@pytest.mark.parametrize(("method", "fed"), [("prompt_tuning", 12), ("prefix_tuning", 0)])
def test_a_front_is_fed_once_where_its_keys_are_not_its_parameters(method, fed, monkeypatch):
    monkeypatch.setattr(lean, "attend", lambda q, k, v, layout, **more: q)
    model = llama().requires_grad_(False)
    assert fed_by(model) == 0
    load("smalltune.methods", method)(tokens=12).attach(model)
    assert fed_by(model) == fed
    assert not model.get_decoder()._forward_pre_hooks
    data = texts(9, first=8)
    packed = pack(data, range(16), "cpu")
    answer_loss(model.eval().requires_grad_(False), packed)
    with FlopCounterMode(display=False) as counter:
        answer_loss(model, packed)
    found = flops_of(model)
    without = Flops(found.per_token, 0.0, found.per_read, 0.0)
    needed = without.of(Work.of(fed) + learning(data, front=12))
    assert needed == pytest.approx(counter.get_total_flops(), rel=0.05)


@pytest.mark.parametrize(("method", "apart"), [("prompt_tuning", 0.03), ("prefix_tuning", 1e-9)])
def test_a_front_that_learns_needs_gradients_of_the_states_above_it(method, apart):
    """PyTorch does not count this attention; and it computes the front's last layer whole."""
    model = llama().requires_grad_(False).train()
    load("smalltune.methods", method)(tokens=12).attach(model)
    data = texts(9, first=8)
    packed = pack(data, range(16), "cpu")
    answer_loss(model, packed)
    with FlopCounterMode(display=False) as counter:
        answer_loss(model, packed).backward()
    found = flops_of(model, backward=True)
    without = Flops(found.per_token, 0.0, found.per_read, 0.0)
    needed = without.of(Work.of(fed_by(model)) + learning(data, front=12))
    assert needed == pytest.approx(counter.get_total_flops(), rel=apart)
    assert found.per_pair == 3 * flops_of(model).per_pair


def test_a_text_with_nothing_to_predict_is_not_fed():
    data = Segments.of([[1, 2, 3], [4, 5, 6, 7], [8]], [2, 4, 0], [0] * 3)
    assert learning(data) == Work(tokens=2, pairs=3, read=1, read_pairs=2)
    assert learning(data).tokens == len(pack(data, range(3), "cpu").ids)


def test_the_peak_is_the_best_product_measured_once(monkeypatch):
    """A clock of its own says that larger products reach more, up to the third."""
    speeds = iter([1e9, 3e9, 7e9, *[5e9] * 10_000])
    seconds, ticks = [], count()
    monkeypatch.setattr(
        peak, "_timed", lambda a: seconds.append(2 * len(a) ** 3 / next(speeds)) or seconds[-1]
    )
    monkeypatch.setattr(peak.time, "perf_counter", lambda: next(ticks) * peak.SECONDS / 20)
    monkeypatch.setattr(peak, "_measured", cache(peak._measured.__wrapped__))
    first = matmul_peak("cpu", "float32")
    assert first == pytest.approx(7e9)
    many = len(seconds)
    assert many >= 4
    assert matmul_peak("cpu", "float32") == first and len(seconds) == many
    assert matmul_peak("cpu", "bfloat16") == pytest.approx(5e9)
