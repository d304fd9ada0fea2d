"""Put a pre-trained base into the package: `python bases/embed.py STUDY NAME`.

Takes the weights of the study's only trial from its store, rounds them to bfloat16 and writes
them with configuration and tokeniser to src/smalltune/embedded/models/NAME. The measurements that
the model card prints are read from the store, not typed.
"""

import json
import shutil
import sys
from pathlib import Path

import smalltune as st

TARGET = Path(__file__).parent.parent / "src" / "smalltune" / "embedded" / "models"


def main(study_path: str, name: str) -> None:
    """Write model.safetensors, config.json, the tokeniser and training.json."""
    import torch
    from safetensors.torch import load_file, save_file

    study = st.load(study_path)
    trial = study.plan().trials[0]
    train, score = trial.job("train"), trial.evaluations["test"]
    if train is None or not study.store.has(train.key):
        sys.exit(f"{study_path}: run the study first")
    folder = TARGET / name
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(train.sources["model"].partition(":")[2])
    for path in source.iterdir():
        shutil.copyfile(path, folder / path.name)
    config = json.loads((source / "config.json").read_text()) | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    weights = load_file(study.store.path(train.key) / "weights" / "model.safetensors")
    rounded = {n: t.to(torch.bfloat16) for n, t in weights.items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})
    made = study.store.provenance(train.key)
    facts = {
        "train": study.store.read_json(train.key, "facts.json"),
        "test": study.store.read_json(score.key, "facts.json")["values"],
        "seconds": made["seconds"],
        "threads": made["threads"],
        "machine": made["machine"],
        "packages": made["packages"],
        "losses": study.store.read_lines(train.key, "log.jsonl")[9::10],
        "spec": dict(train.spec),
    }
    (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
