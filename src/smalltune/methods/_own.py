"""Methods whose new parameters are modules of our own, or parameters that the base has already."""

import json
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from smalltune.core.errors import MethodError
from smalltune.methods import Gradient

__all__ = ["Chosen", "Inserted", "decoder_layers"]

FILE = "trained.safetensors"


class Chosen(Gradient):
    """Trains some of the base's own parameters and stores only these."""

    changes_base = True

    @abstractmethod
    def names(self, model: Any) -> list[str]:
        """Return the parameters to train; raises MethodError where the model has none of them."""

    def parameters(self, model: Any) -> int:
        """Return how many numbers are trained."""
        return sum(model.get_parameter(name).numel() for name in self.names(model))

    def attach(self, model: Any) -> None:
        """Let the chosen parameters have a gradient."""
        for name in self.names(model):
            model.get_parameter(name).requires_grad_(True)

    def detach(self, model: Any) -> None:
        """Freeze again; the parameters stay changed."""
        model.requires_grad_(False)

    def merge(self, model: Any) -> None:
        """Freeze: what was trained is in the base already."""
        self.detach(model)

    def save(self, model: Any, folder: Path) -> None:
        """Write the chosen parameters under the base's own names."""
        _save({name: model.get_parameter(name) for name in self.names(model)}, self, folder)

    def load(self, model: Any, folder: Path) -> None:
        """Copy the stored parameters into the base."""
        import torch

        with torch.no_grad():
            for name, tensor in _load(folder).items():
                model.get_parameter(name).copy_(tensor)


class Inserted(Gradient):
    """Puts modules of its own round modules of the base and takes them out again.

    Such a module holds the base's own as `base` and adds parameters to it.
    """

    @abstractmethod
    def around(self, model: Any) -> Iterator[tuple[str, Any]]:
        """Yield the names of the base's modules and what comes in their place."""

    def attach(self, model: Any) -> None:
        """Put the new modules in; their own parameters alone have a gradient."""
        for name, module in list(self.around(model)):
            module.train(model.training)
            _put(model, name, module)

    def detach(self, model: Any) -> None:
        """Put the base's own modules back."""
        for name, module in _inserted(model):
            _put(model, name, module.base)
        model.requires_grad_(False)

    def save(self, model: Any, folder: Path) -> None:
        """Write the new parameters under the names that they have in the model."""
        trained = {n: p for n, p in model.named_parameters() if n in _new(model)}
        _save(trained, self, folder)

    def load(self, model: Any, folder: Path) -> None:
        """Put the modules in and copy the stored parameters into them."""
        import torch

        self.attach(model)
        with torch.no_grad():
            for name, tensor in _load(folder).items():
                model.get_parameter(name).copy_(tensor)


def decoder_layers(model: Any) -> list[tuple[str, Any]]:
    """Return the names and modules of a model's decoder layers, first to last."""
    import torch

    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList)
        and len(module) == model.config.get_text_config().num_hidden_layers
    ]
    if not lists:
        raise MethodError(f"{type(model).__name__}: no list of decoder layers was found")
    name, layers = lists[0]
    return [(f"{name}.{number}", layer) for number, layer in enumerate(layers)]


def _inserted(model: Any) -> list[tuple[str, Any]]:
    return [(name, m) for name, m in model.named_modules() if hasattr(type(m), "smalltune")]


def _new(model: Any) -> set[str]:
    return {
        f"{name}.{own}"
        for name, module in _inserted(model)
        for own, _ in module.named_parameters()
        if not own.startswith("base.")
    }


def _put(model: Any, name: str, module: Any) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _save(tensors: dict[str, Any], method: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    plain = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    save_file(plain, folder / FILE, metadata={"format": "pt"})
    name = type(method).__module__.removeprefix("smalltune.methods.")
    told = {"method": name, "options": method.options()}
    (folder / "method.json").write_text(json.dumps(told, indent=2, sort_keys=True) + "\n")


def _load(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    stored: dict[str, Any] = load_file(folder / FILE)
    return stored
