"""Export: a trained model as a folder, for Transformers or PEFT where they can open it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smalltune.core.errors import ModelError
from smalltune.models.whole import CONFIGURATION, TOKENISER, copy_beside

__all__ = ["BASE", "export", "form_of", "opening"]

BASE = "base"
"""The folder in an export that holds the model on which an adapter lies."""

ADAPTER = """\
PEFT opens this folder, FOLDER, over the base{held}; {base}.

```python
{code}
```
"""
WHOLE = """\
Transformers opens this folder; it holds every weight, in float32.

```python
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("FOLDER")
```
"""
OWN = """\
Neither Transformers nor PEFT opens this folder, FOLDER: what was trained lies in {file} as
smalltune stores it, and the method's own `load` puts it into the base{found}; {base}.

```python
{code}
```

{merged}
"""
MERGES = (
    "`smalltune export --merged` writes the whole model instead, which Transformers opens.",
    "Nor can it be merged into the base, whose own weights cannot say what was trained.",
)
HELD = (
    ", held in four bits as it was in training (on a CPU bitsandbytes may compute in bfloat16, and "
    "not at all where a matrix has no multiple of 32 rows and 64 columns: `smalltune export "
    "--merged` writes the whole model in float32)"
)
PARTS = ("the base is not part of it", f"the base, which the study made, lies in `{BASE}` within")


def form_of(weights: Path) -> str:
    """Return what opens a folder of trained weights: "peft", "transformers" or "smalltune"."""
    if (weights / "adapter_config.json").is_file():
        return "peft"
    return "transformers" if (weights / "model.safetensors").is_file() else "smalltune"


def opening(
    weights: Path,
    base: str,
    *,
    method: str,
    options: Mapping[str, Any],
    revision: str | None = None,
    inside: bool = False,
    quantised: Mapping[str, Any] | None = None,
    merges: bool = False,
) -> str:
    """Return how a folder of trained weights is opened without smalltune, or that it cannot be.

    The base is a name on the hub or a path; with `inside` it lies in the folder itself, as `BASE`.
    `method` is the plug-in's name, `quantised` are the arguments of Transformers'
    BitsAndBytesConfig for a base in four bits, `merges` says that the method can be merged into its
    base.
    """
    form = form_of(weights)
    if form == "transformers":
        return WHOLE
    part, name = PARTS[inside], f'f"{{folder}}/{BASE}"' if inside else json.dumps(base)
    if form == "smalltune":
        file = next(path.name for path in sorted(weights.glob("*.safetensors")))
        return OWN.format(
            file=file,
            found=f" (`{method}` has to be on the PYTHONPATH)" if "." in method else "",
            base=part,
            code=_by_smalltune(name, revision, method, options),
            merged=MERGES[0 if merges else 1],
        )
    code = _by_peft(name, revision, quantised)
    return ADAPTER.format(held=HELD if quantised else "", base=part, code=code)


def _by_peft(base: str, revision: str | None, quantised: Mapping[str, Any] | None) -> str:
    given = [base, 'dtype="float32"']
    given += [f'revision="{revision}"'] if revision else []
    names = "AutoModelForCausalLM"
    if quantised:
        told = ", ".join(f"{name}={value!r}" for name, value in quantised.items())
        given.append(f"quantization_config=BitsAndBytesConfig({told})")
        names = f"{names}, BitsAndBytesConfig"
    return "\n".join(
        [
            "from peft import PeftModel",
            f"from transformers import {names}",
            "",
            'folder = "FOLDER"',
            "base = AutoModelForCausalLM.from_pretrained(",
            *(f"    {each}," for each in given),
            ")",
            "model = PeftModel.from_pretrained(base, folder)",
        ]
    )


def _by_smalltune(base: str, revision: str | None, method: str, options: Mapping[str, Any]) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in options.items())
    fetched = f'snapshot_download({base}, revision="{revision}")' if revision else base
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            *(["from huggingface_hub import snapshot_download"] if revision else []),
            "from smalltune.core.plugins import load",
            "from smalltune.models.loading import load_model",
            "",
            'folder = "FOLDER"',
            f"model = load_model(Path({fetched}))",
            f'method = load("smalltune.methods", "{method}")({given})',
            "method.load(model, Path(folder))",
        ]
    )


def export(
    base: Path,
    weights: Path,
    folder: Path,
    *,
    base_name: str,
    card: str,
    revision: str | None = None,
) -> None:
    """Write the trained weights, the base's tokeniser and a model card into a new folder.

    An adapter keeps PEFT's layout and names its base, a hub base with the commit that it was
    trained on; whole weights, which are float32, get the base's configuration. Raises ModelError
    when the folder is there already and not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    form = form_of(weights)
    copy_beside(base, folder, (*TOKENISER, *CONFIGURATION) if form == "transformers" else TOKENISER)
    for path in weights.iterdir():
        shutil.copyfile(path, folder / path.name)
    if form == "transformers" and (path := folder / "config.json").is_file():
        config = {k: v for k, v in json.loads(path.read_text()).items() if k != "torch_dtype"}
        path.write_text(json.dumps(config | {"dtype": "float32"}, indent=2) + "\n")
    if form == "peft":
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text()) | {"base_model_name_or_path": base_name}
        config["revision"] = revision
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").write_text(card)
