"""Export: a trained model as a folder that Transformers or PEFT load without smalltune."""

import json
import shutil
from pathlib import Path

from smalltune.core.errors import ModelError
from smalltune.models.whole import CONFIGURATION, TOKENISER, copy_beside

__all__ = ["export"]


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
    trained on; whole weights get the base's configuration. Raises ModelError when the folder is
    there already and not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder}: is not empty; name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    adapter = (weights / "adapter_config.json").is_file()
    copy_beside(base, folder, TOKENISER if adapter else (*TOKENISER, *CONFIGURATION))
    for path in weights.iterdir():
        shutil.copyfile(path, folder / path.name)
    if adapter:
        path = folder / "adapter_config.json"
        config = json.loads(path.read_text()) | {"base_model_name_or_path": base_name}
        config["revision"] = revision
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "README.md").write_text(card)
