"""The bench: what a warm worker keeps from job to job, and how it computes."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from smalltune.core.errors import EngineError
from smalltune.core.provenance import Meter
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers
from smalltune.models.loading import fingerprint, load_model, load_tokeniser
from smalltune.models.sources import locate

__all__ = ["Bench", "Inputs"]

KEPT = 2
T = TypeVar("T")


@dataclass(frozen=True)
class Inputs:
    """What a stage reads: folders and keys of input artifacts, references of outside sources."""

    folders: Mapping[str, Path]
    keys: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Path:
        """Return the folder of an input artifact."""
        return self.folders[name]


@dataclass
class _Base:
    model: Any
    print: str


class Bench:
    """Keeps base models, tokenisers and tokens by content key; says where to compute.

    `threads` and `device` are placement. `checkpoint_seconds` is the time between checkpoints.
    """

    def __init__(
        self, *, threads: int = 1, device: str | None = None, checkpoint_seconds: float = 10.0
    ):
        """Set up an empty bench; torch is not imported before a model is asked for."""
        self.threads = threads
        self.checkpoint_seconds = checkpoint_seconds
        self.progress: Callable[[dict[str, Any]], None] = lambda event: None
        self.meter = Meter()
        self._device = device
        self._bases: OrderedDict[str, _Base] = OrderedDict()
        self._tokenisers: OrderedDict[str, Any] = OrderedDict()
        self._tokens: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def start(self, meter: Meter, progress: Callable[[dict[str, Any]], None] | None) -> None:
        """Begin a job: its meter and where its progress goes."""
        self.meter = meter
        self.progress = progress or (lambda event: None)

    @property
    def device(self) -> str:
        """The device models live on: what was asked for, else a GPU if torch sees one, else cpu."""
        if self._device is None:
            import sys

            if "torch" not in sys.modules:
                return "cpu"
            import torch

            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._device

    def held(self) -> set[str]:
        """Return the content keys of what is kept, so that jobs can go where their things are."""
        return {*self._bases, *(key for key, _ in self._tokens)}

    @contextmanager
    def base(self, ref: str, digest: str, seed: int, changes: bool) -> Iterator[Any]:
        """Lend the base model; when it comes back its bits must be those it had.

        With `changes` the borrower trains the base itself and the bench throws it away. Raises
        EngineError when a base that must stay frozen came back changed.
        """
        scheme = ref.partition(":")[0]
        key = f"{digest}:{seed}" if scheme == "config" else digest
        kept = self._bases.pop(key, None) or self._load(ref, scheme, seed)
        try:
            yield kept.model
        except BaseException:
            raise  # in an unknown state: not kept
        if changes:
            return
        if fingerprint(kept.model) != kept.print:
            raise EngineError(f"the frozen base {ref} came back with other weights")
        self._bases[key] = kept
        while len(self._bases) > KEPT:
            self._bases.popitem(last=False)

    def _load(self, ref: str, scheme: str, seed: int) -> _Base:
        import torch

        torch.set_num_threads(self.threads)
        if self._device is None:
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model = load_model(locate(ref), scheme=scheme, seed=seed).to(self._device)
        return _Base(model, fingerprint(model))

    def tokeniser(self, ref: str, digest: str) -> Any:
        """Return the tokeniser of a model."""
        if digest not in self._tokenisers:
            self._tokenisers[digest] = load_tokeniser(locate(ref))
            while len(self._tokenisers) > KEPT:
                self._tokenisers.popitem(last=False)
        return self._tokenisers[digest]

    def tokens(self, inputs: Inputs, split: str) -> Segments:
        """Return the segments of a split from the input artifact `tokens`."""
        folder = inputs["tokens"]
        return self._kept(
            (inputs.keys["tokens"], split), lambda: Segments.load(folder / f"{split}.safetensors")
        )

    def answers(self, inputs: Inputs) -> Answers:
        """Return the label names and their tokens from the input artifact `tokens`."""
        import json

        def read() -> Answers:
            labels = json.loads((inputs["tokens"] / "labels.json").read_text())
            return Answers(tuple(labels["names"]), tuple(tuple(t) for t in labels["tokens"]))

        return self._kept((inputs.keys["tokens"], "labels"), read)

    def _kept(self, key: tuple[str, str], make: Callable[[], T]) -> T:
        if key not in self._tokens:
            self._tokens[key] = make()
            while len(self._tokens) > 8 * KEPT:
                self._tokens.popitem(last=False)
        kept: T = self._tokens[key]
        return kept
