"""Put a pre-trained base into the package: `python bases/embed.py STUDY NAME`.

Takes the weights of the study's only trial from its store, rounds them to bfloat16 and writes
them with configuration, tokeniser, training.json and a model card to
src/smalltune/embedded/models/NAME. What the card says is read from the store, not typed.
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import smalltune as st

TARGET = Path(__file__).parent.parent / "src" / "smalltune" / "embedded" / "models"
PROMPTS = ("The old house", "She opened the letter and")

CARD = """\
# {name}

A {architecture} language model of {inner:,} parameters besides its embeddings ({total:,} in all), pre-trained from random
weights with smalltune itself (`bases/{name}/study.yaml`). Llama-*style*: the architecture is Meta's, the weights are ours.
Transformers loads it without smalltune.

| | |
|---|---|
| layers, width, inner width | {num_hidden_layers}, {hidden_size}, {intermediate_size} |
| heads, key-value heads | {num_attention_heads}, {num_key_value_heads} |
| vocabulary | {vocab_size:,} (byte-level BPE trained on the same text; one token begins, ends and pads) |
| context | trained on {context} tokens; positions up to {max_position_embeddings:,} |
| weights | bfloat16, rounded from float32 |

**Data.** {documents:,} documents, articles of the English Wikipedia (CC BY-SA 4.0) and English novels (public domain), split
by document: {train:,} to train on, {dev:,} for dev and {held:,} for test. The text was **not** decontaminated against evaluation data: some of the
articles are ones that BoolQ's passages come from, so do not judge this base on BoolQ.

**Training.** {steps:,} steps, {tokens:,} tokens (each seen once), batches of {batch_size} x {context} tokens, AdamW with a peak
learning rate of {learning_rate:g}, warm-up over {warmup:.0%} of the steps and linear decay, weight decay {weight_decay:g}, seed {seed}. It took
{minutes:.0f} minutes on {threads} CPU thread(s) ({cpu}). Loss of every tenth step: `training.json`.

**Result.** {test:.3f} bits per byte on the held-out test documents (float32 weights); last training loss {final_loss:.3f} nats per token.

**Samples** (temperature 0.8, seed 0, unedited):

{samples}

**Use.** A base that makes demos, tests and method studies run offline in minutes. It has seen a few million tokens: it
knows common words and grammar, no facts, and follows no instructions. Nothing it writes should be relied on; it can
repeat prejudices of its sources.

**Licence.** Apache-2.0.
"""


def main(study_path: str, name: str) -> None:
    """Write model.safetensors, config.json, the tokeniser, training.json and README.md."""
    study = st.load(study_path)
    trial = study.plan().trials[0]
    train, score = trial.job("train"), trial.evaluations["test"]
    if train is None or not study.store.has(train.key) or not study.store.has(score.key):
        sys.exit(f"{study_path}: run the study first")
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(train.sources["model"].partition(":")[2])
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    config = json.loads((source / "config.json").read_text()) | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    write_weights(study.store.path(train.key) / "weights" / "model.safetensors", folder)
    made = study.store.provenance(train.key)
    data = study.store.read_json(score.inputs["data"].key, "facts.json")
    facts = {
        "train": study.store.read_json(train.key, "facts.json"),
        "test": study.store.read_json(score.key, "facts.json")["values"],
        "seconds": made["phases"]["train"],
        "resumed_from": made["resumed_from"],
        "threads": made["threads"],
        "machine": made["machine"],
        "packages": made["packages"],
        "documents": {n: part["rows"] for n, part in data["splits"].items()},
        "losses": [row["loss"] for row in study.store.read_lines(train.key, "log.jsonl")[9::10]],
        "spec": dict(train.spec),
    }
    (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    (folder / "README.md").write_text(_card(name, folder, config, facts, study.spec.max_length))


def write_weights(weights: Path, folder: Path) -> None:
    """Write the trained parameters, and what else the class expects in a checkpoint, rounded.

    A mixture's router keeps a correction of its scores that is no parameter and stays as it was.
    """
    import torch
    from safetensors.torch import load_file, save_file

    from smalltune.models.loading import load_model

    fresh = load_model(folder, scheme="config")
    kept = {n: b for n, b in fresh.named_buffers() if n in fresh.state_dict()}
    rounded = {n: t.to(torch.bfloat16) for n, t in (kept | load_file(weights)).items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})


def _card(
    name: str, folder: Path, config: dict[str, Any], facts: dict[str, Any], context: int
) -> str:
    total = facts["train"]["total_parameters"]
    return CARD.format(
        **config,
        **facts["spec"]["training"] | {"steps": facts["train"]["steps"]},
        name=name,
        architecture=config["architectures"][0],
        total=total,
        inner=total - config["vocab_size"] * config["hidden_size"],
        context=context,
        documents=sum(facts["documents"].values()),
        train=facts["documents"]["train"],
        dev=facts["documents"]["dev"],
        held=facts["documents"]["test"],
        tokens=facts["train"]["tokens"],
        seed=facts["spec"]["seed"],
        minutes=facts["seconds"] / 60,
        threads=facts["threads"],
        cpu=facts["machine"]["cpu"],
        test=facts["test"]["bits_per_byte"],
        final_loss=facts["train"]["final_loss"],
        samples="\n".join(f"> {text}\n>" for text in _samples(folder)),
    )


def _samples(folder: Path) -> list[str]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokeniser = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(0)
    made = []
    for prompt in PROMPTS:
        ids = tokeniser(prompt, return_tensors="pt")
        out = model.generate(**ids, max_new_tokens=60, do_sample=True, temperature=0.8, top_k=0)
        made.append(tokeniser.decode(out[0], skip_special_tokens=True).replace("\n", " "))
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
