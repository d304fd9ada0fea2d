"""The model card of a base: all that it says is read from its record, from corpus.json and
measured.json; the figures of the prose are none."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compute import flops_per_token, share_of_peak
from origin import corpus_of, decontamination, held_out, same_text, sources
from records import Record

__all__ = ["card", "samples"]

PROMPTS = ("The old house", "She opened the letter and", "The river flows through")
TEMPERATURE = 0.8
SEED = 0
NEW_TOKENS = 60

STYLES = {
    "LlamaForCausalLM": ("Llama", "Meta", "Meta's Llama models"),
    "Qwen2ForCausalLM": ("Qwen", "Alibaba", "Alibaba's Qwen models"),
    "Qwen3ForCausalLM": ("Qwen", "Alibaba", "Alibaba's Qwen models"),
    "DeepseekV3ForCausalLM": ("DeepSeek", "DeepSeek", "DeepSeek's models"),
}
SHAPE = {
    "num_hidden_layers": "layers",
    "hidden_size": "width",
    "intermediate_size": "inner width",
    "num_attention_heads": "heads",
    "num_key_value_heads": "key-value heads",
    "kv_lora_rank": "rank of the latent keys and values",
    "n_routed_experts": "routed experts a layer",
    "num_experts_per_tok": "of these, active for a token",
    "n_shared_experts": "shared experts a layer",
    "moe_intermediate_size": "inner width of an expert",
    "first_k_dense_replace": "first layers without experts",
}

CARD = """\
# {name}

A {style}-*style* language model: a `{architecture}` of {active:,} {counted} parameters besides its embeddings ({inner:,} of these
stored; {total:,} in all), pre-trained from random weights with smalltune itself (`bases/{name}/study.yaml`). The blocks are
those of {theirs}; tokeniser and weights are ours. It is not a {style} model, and {owner} has no part in it.
Transformers loads it without smalltune.

| | |
|---|---|
{shape}
| vocabulary | {vocab_size:,} (byte-level BPE trained on the same text; one token begins, ends and pads) |
| context | trained on {length} tokens; positions up to {max_position_embeddings:,} |
| weights | bfloat16, rounded from {dtype} |

**Data.** {data} Split by document: {train:,} to train on, {dev:,} for dev and {test:,} for test ({held}); of
a held-out document the beginning is kept. {repeats}.

**Decontamination** against every split of the evaluation data, training splits included: {rule}. {documents_removed:,} documents
went whole, {documents_shortened:,} lost paragraphs, {words_removed:,} words in all. By data set:

| data set | documents touched | documents removed | spans removed | words in spans |
|---|---:|---:|---:|---:|
{overlaps}

Nothing was found of {nothing}.

**Training.** {steps:,} steps, {tokens:,} tokens ({epochs}), batches of {batch_size} x {length} tokens; {optimiser} with a peak
learning rate of {learning_rate:g}, warm-up over {warmup:.0%} of the steps, then {schedule}; weight decay {weight_decay:g}, seed {seed}.

**Compute.** {seconds:,.0f} CPU seconds on {place}: {speed:,.0f} tokens a second of a core. A token of training takes {flops:.1f} MFLOP
in closed form (six operations for each active weight and each of the output head, and attention), {whole:.2f} PFLOP in all.{peak}

![Training loss](loss.png)

**Result.** {bits:.3f} bits per byte on the held-out test documents ({low:.3f} to {high:.3f}, a 95 % interval over {test:,} documents;
{dtype} weights); mean training loss of the last steps {final_loss:.3f} nats per token. `bases/REPORT.md` sets it beside a 5-gram
model of the same tokens and `xz`.

**Samples**, unedited (temperature {temperature}, seed {sampled}, whole vocabulary, {new} tokens):

{samples}

**Use.** A base that makes demos, tests and method studies run offline in minutes; the other bases of this package are its siblings, with
the same tokeniser and text. It has seen {millions:.0f} million tokens: it knows common words and grammar, hardly any facts, and follows no
instructions. It has read English only. A larger size (M) is not there yet. Nothing it writes should be relied on; it can repeat prejudices of its sources.

**Licence.** Apache-2.0 for the weights. The text it learned from: {licence}.
"""


def card(base: Record, root: Path, written: list[str]) -> str:
    """Return the card; `root` holds corpus.json and measured.json, `written` are the samples.

    Raises DataError when corpus.json is about another text than the one that was trained on.
    """
    corpus = corpus_of(root)
    same_text(base, corpus)
    spec, facts = base.spec, base.facts
    style, owner, theirs = STYLES[base.config["architectures"][0]]
    found = _estimate(base)
    flops = flops_per_token(base.config, base.counts["active"], base.length)
    share = share_of_peak(base, root)
    whole = base.counts["active"] == base.counts["inner"]
    return CARD.format(
        **{k: base.config[k] for k in ("vocab_size", "max_position_embeddings")},
        **{k: spec["training"][k] for k in ("batch_size", "learning_rate", "warmup")},
        **base.counts,
        **decontamination(corpus),
        name=base.name,
        style=style,
        owner=owner,
        theirs=theirs,
        architecture=base.config["architectures"][0],
        counted="(all of them active)" if whole else "active",
        shape=_shape(base.config),
        length=base.length,
        dtype=spec["dtype"],
        data=sources(corpus),
        **{split: base.documents[split] for split in ("train", "dev", "test")},
        held=held_out(corpus),
        steps=facts["steps"],
        tokens=facts["tokens"],
        epochs=_passes(facts["epochs"]),
        optimiser={"adamw": "AdamW", "muon": "Muon"}[spec["training"]["optimiser"]],
        schedule=_decay(spec["training"]["schedule"]),
        weight_decay=spec["training"]["weight_decay"],
        seed=spec["seed"],
        seconds=base.cpu_seconds,
        place=_place(base.made),
        speed=base.speed,
        flops=flops / 1e6,
        whole=flops * facts["tokens"] / 1e15,
        peak=f" That is {share:.0%} of the measured peak of matrix products there."
        if share
        else "",
        bits=found.value,
        low=found.low,
        high=found.high,
        final_loss=facts["final_loss"],
        temperature=TEMPERATURE,
        sampled=SEED,
        new=NEW_TOKENS,
        samples="\n".join(f"> {text}\n>" for text in written),
        millions=facts["tokens"] / 1e6,
        licence=base.licence,
    )


def samples(folder: Path) -> list[str]:
    """Return one continuation of each prompt by the model in a folder, as it comes."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokeniser = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(SEED)
    made = []
    for prompt in PROMPTS:
        ids = tokeniser(prompt, return_tensors="pt")
        out = model.generate(
            **ids, max_new_tokens=NEW_TOKENS, do_sample=True, temperature=TEMPERATURE, top_k=0
        )
        made.append(tokeniser.decode(out[0], skip_special_tokens=True).replace("\n", " "))
    return made


def _estimate(base: Record) -> Any:
    from smalltune.analysis.intervals import estimate

    return estimate(base.sample())


def _shape(config: Mapping[str, Any]) -> str:
    rows = [f"| {title} | {config[key]:,} |" for key, title in SHAPE.items() if config.get(key)]
    return "\n".join(rows)


def _place(made: Mapping[str, Any]) -> str:
    many = "1 thread" if made["threads"] == 1 else f"{made['threads']} threads"
    where = "" if made["device"] == "cpu" else f"a {made['device']} device and "
    return f"{where}{many} of a CPU ({made['machine']['cpu']})"


def _passes(epochs: float) -> str:
    if epochs <= 1:
        return f"each seen once: {epochs:.0%} of the training text, in a seeded order"
    return f"{epochs:.1f} passes over the training text, each in a seeded order"


def _decay(schedule: str) -> str:
    return {
        "linear": "linear decay to zero",
        "cosine": "decay along a half cosine",
        "constant": "no decay",
    }[schedule]
