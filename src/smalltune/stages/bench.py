"""The bench: what a warm worker keeps from job to job, and how it computes."""

import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from smalltune.core.errors import EngineError
from smalltune.core.provenance import Meter
from smalltune.engine.held import hold
from smalltune.engine.peak import matmul_peak
from smalltune.engine.quantised import quantise
from smalltune.engine.segments import Segments
from smalltune.kinds import Answers
from smalltune.models.loading import load_model, load_tokeniser
from smalltune.models.sources import locate
from smalltune.stages._bases import Base

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

    def model(self, digest: str) -> tuple[str, str]:
        """Return reference and content key of the model to start from.

        That is the input artifact `base` where there is one, else the source, whose digest this is.
        """
        if "base" in self.folders:
            return f"path:{self['base'] / 'model'}", self.keys["base"]
        return self.sources["model"], digest


class Bench:
    """Keeps base models, tokenisers and tokens by content key; says where to compute.

    `threads` and `device` are placement. `checkpoint_seconds` is the time between checkpoints,
    `micro_batch` the most tokens that are trained on at a time (None: what fits into memory).
    """

    def __init__(
        self,
        *,
        threads: int = 1,
        device: str | None = None,
        checkpoint_seconds: float = 10.0,
        micro_batch: int | None = None,
    ):
        """Set up an empty bench; torch is not imported before a model is asked for."""
        self.threads = threads
        self.checkpoint_seconds = checkpoint_seconds
        self.micro_batch = micro_batch
        self.progress: Callable[[dict[str, Any]], None] = lambda event: None
        self.meter = Meter()
        self._device = device
        self._bases: OrderedDict[tuple[str, str, str], Base] = OrderedDict()
        self._tokenisers: OrderedDict[str, Any] = OrderedDict()
        self._tokens: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def start(self, meter: Meter, progress: Callable[[dict[str, Any]], None] | None) -> None:
        """Begin a job: its meter and where its progress goes."""
        self.meter = meter
        if torch := self._torch_on_gpu():
            torch.cuda.reset_peak_memory_stats()

        def tell(event: dict[str, Any]) -> None:
            meter.tick()
            if progress:
                progress(event)

        self.progress = tell

    def say(self, text: str) -> None:
        """Tell what had to be done for memory."""
        self.progress({"event": "memory", "said": text})

    def cost(
        self, phase: str, *, dtype: str, tokens: int, flops: float | None = None
    ) -> dict[str, Any]:
        """Return how fast a phase of this job was and, on a GPU, its peak memory.

        The machine's own speed is measured when it is first asked for, in a phase of its own.
        """
        self.meter.phase("peak")
        seconds = max(self.meter.phases[phase], 1e-9)
        speed: dict[str, float] = {"tokens_per_second": tokens / seconds}
        if flops is not None:
            peak = matmul_peak(self.device, dtype)
            speed["flops_per_second"] = flops / seconds
            speed["peak_flops_per_second"] = peak
            speed["share_of_peak"] = flops / seconds / peak
        found: dict[str, Any] = {"speed": speed}
        if torch := self._torch_on_gpu():
            found["peak_gpu_memory_bytes"] = int(torch.cuda.max_memory_allocated())
        return found

    def _torch_on_gpu(self) -> Any:
        return sys.modules.get("torch") if self.device.startswith("cuda") else None

    @property
    def device(self) -> str:
        """The device models live on: what was asked for, else a GPU if torch sees one, else cpu."""
        if self._device is None:
            if "torch" not in sys.modules:
                return "cpu"
            import torch

            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        return self._device

    def held(self) -> set[str]:
        """Return the content keys of what is kept, so that jobs can go where their things are."""
        return {key[0] for key in (*self._bases, *self._tokens)}

    @contextmanager
    def base(
        self,
        ref: str,
        digest: str,
        seed: int,
        changes: bool,
        dtype: str = "float32",
        quantised: str = "",
    ) -> Iterator[Any]:
        """Lend the base model; when it comes back its bits must be those it had.

        With `changes` the borrower trains the base itself, and the bench puts its own copy of the
        weights back; where memory is too scarce for one, or the parts are others now, the base is
        thrown away. `dtype` is the format of its weights: a base that stays frozen may be held in
        "bfloat16", its linear layers `quantised` (`engine.quantised`).

        Raises EngineError when a base that must stay frozen came back changed, or
        would be trained in another format than float32.
        """
        if changes and (quantised or dtype != "float32"):
            form = quantised or dtype
            raise EngineError(f"a base that is trained itself must be float32, not {form}")
        scheme = ref.partition(":")[0]
        key = f"{digest}:{seed}" if scheme == "config" else digest, dtype, quantised
        kept = self._taken(key, digest) or self._load(ref, scheme, seed, dtype, quantised)
        if changes:
            kept.keep_copy()
        try:
            yield kept.model
        except BaseException:
            raise  # in an unknown state: not kept
        if changes and not kept.put_back():
            return
        if not kept.same():
            if changes:
                return
            raise EngineError(f"the frozen base {ref} came back with other weights")
        self._bases[key] = kept
        while len(self._bases) > KEPT:
            self._bases.popitem(last=False)

    def _taken(self, key: tuple[str, str, str], digest: str) -> Base | None:
        """Take a base out of those that are kept.

        What other seeds drew for the same configuration goes: one such base at a time is enough.
        """
        found = self._bases.pop(key, None)
        for other in [each for each in self._bases if each[0].startswith(f"{digest}:")]:
            del self._bases[other]
        return found

    def _load(self, ref: str, scheme: str, seed: int, dtype: str, quantised: str) -> Base:
        import torch

        torch.set_num_threads(self.threads)
        if self._device is None:
            self._device = "cuda" if torch.cuda.is_available() else "cpu"
        model = load_model(locate(ref), scheme=scheme, seed=seed, dtype=dtype)
        if dtype != "float32":
            hold(model)
        if quantised:
            quantise(model, quantised)
        return Base(model.to(self._device))

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
