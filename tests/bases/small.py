"""Small bases: a corpus and studies as those in bases/, at a size that trains in a second."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import yaml

BASES = Path(__file__).parents[2] / "bases"
TINY = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8,
    "moe_intermediate_size": 16, "kv_lora_rank": 8, "qk_nope_head_dim": 6, "qk_rope_head_dim": 2,
    "v_head_dim": 8,
}  # fmt: skip
STEPS = 12


def tiny_config(name, folder):
    """Write a base's configuration at a tiny size, with its tokeniser."""
    shutil.copytree(BASES / name / "config", folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {key: value for key, value in TINY.items() if key in config}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def documents(n, seed):
    """Return n documents of sentences that repeat a few words."""
    rng = np.random.default_rng(seed)
    words = sorted(
        {"the", "river", "house", "letter", "old", "walked", "was", "to", "and", "window"}
    )
    made = []
    for i in range(n):
        drawn = rng.choice(words, size=int(rng.integers(60, 200)))
        made.append({"id": f"d{seed}-{i}", "text": f"Number {i}. {' '.join(drawn)}."})
    return made


def write_corpus(root):
    """Write a corpus of three splits and the report that corpus.py would leave."""
    folder = root / ".corpus"
    folder.mkdir(parents=True)
    shards = {}
    for seed, (split, n) in enumerate({"train": 40, "dev": 4, "test": 6}.items()):
        path = folder / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in documents(n, seed)))
        shards[path.name] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    touched = {
        "documents touched": 23, "documents removed": 7, "spans removed": 31,
        "words in spans": 4321,
    }  # fmt: skip
    report = {
        "rules": {"repeated": "paragraphs that repeat go", "overlapping": "shared runs go"},
        "inputs": {"novels": "x", "wikipedia": "y"},
        "counts": {"novels: documents read": 97, "wikipedia: documents read": 6640,
                   "novels: train (characters)": 3_000_000, "novels: test": 2,
                   "overlapping: documents removed": 1001, "overlapping: words removed": 1320},
        "overlaps": {"quiz/validation": touched, "films/test": {}},
        "shards": shards,
    }  # fmt: skip
    (root / "corpus.json").write_text(json.dumps(report))


def write_study(root, name, **changes):
    """Write the study of a base as those in bases/ are, on the tiny corpus."""
    folder = root / name
    tiny_config(name, folder / "config")
    content = yaml.safe_load((BASES / name / "study.yaml").read_text())
    content["training"] |= {"steps": STEPS, "batch_size": 4}
    content |= {"max_length": 48, **changes}
    (folder / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder
