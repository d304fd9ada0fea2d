"""Methods: how a task is met. One file per method; its fields are its hyperparameters.

The planner and the stages go by what a method declares, never by its name:

    uses_model   asks a language model (otherwise the model axis is "-")
    uses_rows    looks at training rows
    draws        gives another answer with another seed, whatever rows there are
    answers      "labels", "texts" or "any": which decides for which tasks it is
    trains       changes weights by gradient descent (stage `train`, then `predict`)
    merge        (there or not) makes what was trained a part of the model's own weights
    instructs    learns to answer instructions, those of the task that the study names by `on`

A concrete method is a frozen dataclass and final. Raise `version` when the same fields would
give other answers. `Chosen`, `Inserted`, `PeftLayers`, `LowRank` and `Virtual` are here too, for
methods that train some of a base's own parameters, modules round its own, PEFT's layers, low-rank
updates and virtual tokens.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from smalltune.methods._ranges import Range
from smalltune.models.whole import save_whole, tensors_of

__all__ = ["Classical", "Copied", "Gradient", "Method", "Probe", "Prompted", "Range", "WholeModel"]

SHARED = {
    "Chosen": "_own",
    "Inserted": "_own",
    "LowRank": "_peft",
    "PeftLayers": "_peft",
    "Virtual": "_virtual",
}

DECADES = 100.0
"""The learning rate is searched from its default over this to its default times this."""


def __getattr__(name: str) -> Any:
    """Return a base class that lies in a file of its own and itself builds on this one."""
    if name not in SHARED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{SHARED[name]}"), name)


class Method(ABC):
    """A way to meet a task. `title`, `rationale` and `cite` are what the paper says of it."""

    version: ClassVar[int] = 1
    needs: ClassVar[Mapping[str, str]] = {}
    """Packages that smalltune does not need itself, and the extra that installs each."""

    imports: ClassVar[tuple[str, ...]] = ()
    """What its training imports besides PyTorch and Transformers; workers do so in good time."""

    uses_model: ClassVar[bool]
    uses_rows: ClassVar[bool]
    trains: ClassVar[bool]
    draws: ClassVar[bool] = False
    instructs: ClassVar[bool] = False
    answers: ClassVar[str] = "labels"
    title: ClassVar[str]
    rationale: ClassVar[str]
    cite: ClassVar[tuple[str, ...]] = ()

    def options(self) -> dict[str, Any]:
        """Return the hyperparameters as JSON."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def remark(self, config: Mapping[str, Any]) -> str:
        """Return what the paper says of this method on a model of this configuration.

        It ends a sentence that begins with "On Model"; "" where what the rationale says holds.
        """
        return ""

    def quantised(self) -> str:
        """Return the format of `engine.quantised` in which the frozen base lies; "" for none."""
        return ""


class Classical(Method):
    """A method that sees texts and labels, no language model."""

    uses_model = False
    uses_rows = True
    trains = False

    @abstractmethod
    def log_probs(
        self, texts: Sequence[str], labels: Sequence[int], classes: int, asked: Sequence[str]
    ) -> NDArray[np.float64]:
        """Fit on texts and labels [n]; return log-probabilities [m, classes] of the asked texts."""


class Copied(Method):
    """A method that takes its answer, a text, out of the item itself."""

    uses_model = False
    uses_rows = False
    trains = False
    answers = "texts"

    @abstractmethod
    def text(self, fields: Mapping[str, str]) -> str:
        """Return the answer to an item, given its columns."""


class Prompted(Method):
    """A method that asks the base as it is; with `uses_rows`, behind `shots` rows of train.

    `calibrated` divides by what the same prompt without content makes likely.
    """

    shots: int = 0
    calibrated: bool = False

    uses_model = True
    uses_rows = False
    trains = False
    answers = "any"


class Probe(Method):
    """A method that fits a classifier on what the frozen base holds at the end of each prompt."""

    uses_model = True
    uses_rows = True
    trains = False

    @abstractmethod
    def log_probs(
        self,
        states: NDArray[np.float32],
        labels: Sequence[int],
        classes: int,
        asked: NDArray[np.float32],
    ) -> NDArray[np.float64]:
        """Fit on states [n, d] and labels [n]; return log-probabilities [m, classes] of asked."""


class Gradient(Method):
    """A method that trains parameters of, or attached to, a base model.

    `training` holds the method's own defaults for the engine's options, such as its learning
    rate. `changes_base` says that the base's own weights are trained, `trains_all` that all of
    them are, `keeps_base` that training goes on from the weights of the base, `starts_at_base` that
    the first forward is the base's, `searched` in which ranges its own options matter.
    """

    uses_model = True
    uses_rows = True
    trains = True
    draws = True
    answers = "any"
    changes_base: ClassVar[bool] = False
    trains_all: ClassVar[bool] = False
    keeps_base: ClassVar[bool] = True
    starts_at_base: ClassVar[bool] = True
    searched: ClassVar[Mapping[str, Range]] = {}
    training: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def ranges(cls) -> dict[str, Range]:
        """Return what is searched: the learning rate over four decades, and `searched`."""
        usual = cls.training["learning_rate"]
        return {"learning_rate": Range(usual / DECADES, usual * DECADES), **cls.searched}

    @abstractmethod
    def attach(self, model: Any) -> None:
        """Make exactly the parameters that this method trains require a gradient.

        New parameters are drawn from torch's global generator, which the caller seeds.
        """

    def before_step(self, model: Any) -> None:
        """Forget what forwards left behind, before each attempt at a step; nothing by default."""

    def after_step(self, model: Any) -> None:
        """Change what the optimiser does not, after each of its steps; nothing by default."""

    def factor(self, name: str) -> float:
        """Return by what a parameter's learning rate is multiplied, by its name; one by default."""
        return 1.0

    @abstractmethod
    def parameters(self, model: Any) -> int:
        """Return how many numbers are trained, for a model as it was loaded or without numbers.

        Nothing is built, computed or drawn for that: it follows from shapes and configuration.
        """

    @abstractmethod
    def detach(self, model: Any) -> None:
        """Undo `attach`; a base that was changed itself is thrown away by the caller."""

    @abstractmethod
    def save(self, model: Any, folder: Path) -> None:
        """Write what was trained, in the layout that Transformers or PEFT read."""

    @abstractmethod
    def load(self, model: Any, folder: Path) -> None:
        """Attach and put back what `save` wrote, to the bit."""


class WholeModel(Gradient):
    """A method that trains every weight of the base, so that a whole model is stored."""

    changes_base = True
    trains_all = True

    def attach(self, model: Any) -> None:
        """Let every parameter have a gradient."""
        model.requires_grad_(True)

    def parameters(self, model: Any) -> int:
        """Return the size of the model; a tied head counts with its embedding."""
        return sum(parameter.numel() for parameter in model.parameters())

    def detach(self, model: Any) -> None:
        """Freeze again; the weights stay changed."""
        model.requires_grad_(False)

    def merge(self, model: Any) -> None:
        """Freeze: what was trained is in the base already."""
        self.detach(model)

    def save(self, model: Any, folder: Path) -> None:
        """Write model.safetensors with each tensor once (a tied head is its embedding)."""
        save_whole(model, folder)

    def load(self, model: Any, folder: Path) -> None:
        """Copy the stored tensors into the base."""
        import torch
        from safetensors.torch import load_file

        stored = load_file(folder / "model.safetensors")
        with torch.no_grad():
            for name, tensor in tensors_of(model).items():
                tensor.copy_(stored[name])
