"""Put a pre-trained base into the package: `python bases/embed.py STUDY`.

Takes the weights of the study's only trial from its store, rounds them to bfloat16 and writes
them with configuration, tokeniser, training.json, loss.png and a model card (card.py) to
src/smalltune/embedded/models/NAME. Nothing in there is typed.
"""

import json
import shutil
import sys
from pathlib import Path

from card import card, samples
from curves import draw
from keep import keep_base
from records import HERE
from trained import Trained, trained

from smalltune.core.errors import SmalltuneError

__all__ = ["embed", "write_weights"]

TARGET = HERE.parent / "src" / "smalltune" / "embedded" / "models"


def embed(base: Trained, target: Path) -> Path:
    """Write the base's folder below `target` and return it."""
    folder, root = target / base.name, base.study.folder.parent
    keep_base(base, root)
    folder.mkdir(parents=True, exist_ok=True)
    for path in base.source.iterdir():
        shutil.copyfile(path, folder / path.name)
    config = base.config | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    write_weights(base.weights() / "model.safetensors", folder)
    record = base.record
    facts = {
        name: getattr(record, name) for name in ("key", "spec", "facts", "cpu_seconds", "made")
    }
    (folder / "training.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    draw({base.name: record.losses}, folder / "loss.png", "Training loss (nats per token)")
    text = card(record, root, samples(folder))
    (folder / "README.md").write_text(text, encoding="utf-8")
    return folder


def write_weights(weights: Path, folder: Path) -> None:
    """Write the trained parameters, rounded, and what else the class expects in a checkpoint.

    That is the correction that a mixture's router adds to its scores: no parameter, and kept in
    float32, since rounding it could send tokens to other experts.
    """
    import torch
    from safetensors.torch import load_file, save_file

    from smalltune.models.loading import load_model

    fresh = load_model(folder, scheme="config")
    kept = {n: b for n, b in fresh.named_buffers() if n in fresh.state_dict()}
    tensors = kept | load_file(weights)
    rounded = {n: t if n in kept else t.to(torch.bfloat16) for n, t in tensors.items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})


def main(study: str) -> None:
    """Embed the base of a study that has been run."""
    try:
        print(embed(trained(Path(study)), TARGET))
    except SmalltuneError as error:
        sys.exit(f"{study}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
