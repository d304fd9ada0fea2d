"""Dropout per item: what is dropped depends on the item, never on the batch around it.

An element is dropped by the hash of (seed, step, item, module, position, channel), so that an
item meets the same mask alone, packed with others, in a micro-batch of any size, and when a layer
is computed a second time by gradient checkpointing. The hash is counter-based, as in Salmon et al.
(2011), "Parallel random numbers: as easy as 1, 2, 3": no state, hence nothing to restore. Its
finaliser is `lowbias32` (Wellons, 2018, "Prospecting for hash functions"), each result of which
serves two channels.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from smalltune.core.errors import EngineError
from smalltune.engine.dropped_attention import dropping_attention
from smalltune.engine.packing import Packed

__all__ = ["Dropout", "dropout_per_item", "no_other_dropout"]

LEVELS = 1 << 16
"""A probability is rounded to a multiple of 1 / LEVELS."""


class Dropout:
    """The masks of one training: call it with a step and a batch before each forward."""

    def __init__(self, seed: int):
        """Draw from `seed`; nothing is dropped before the first batch is named."""
        self.seed = seed
        self._channels: dict[str, Any] = {}
        self._step = 0
        self._packed: Packed | None = None
        self._keys: dict[str, Any] = {}

    def __call__(self, step: int, packed: Packed) -> None:
        """Draw for this batch from now on, also in the forwards that its backward repeats."""
        self._step, self._packed, self._keys = step, packed, {}

    def layer(self, place: str, module: Any, states: Any) -> Any:
        """Return what the dropout layer `module` at `place` leaves of its input."""
        return self.drop(place, module.p, states) if module.training else states

    def drop(self, place: str, probability: float, states: Any) -> Any:
        """Return `states` [..., channels] with some numbers 0 and the others scaled up."""
        import torch

        level = round(probability * LEVELS)
        if level in (0, LEVELS):
            return states if level == 0 else states * 0.0
        width = states.shape[-1]
        bits = _mix(self._rows(states)[:, None] ^ self._columns(place, width, states.device))
        bits = bits.view(torch.int16)[:, :width].reshape(states.shape)
        kept = (bits >= level - LEVELS // 2).to(states.dtype)
        return states * kept.mul_(LEVELS / (LEVELS - level))

    def _rows(self, states: Any) -> Any:
        """Return a key int32 for each row of `states`: of its item and position.

        The rows are the batch's tokens end to end [T], those that are read [S] (a pruned last
        layer), or the segments [B, width] padded or with virtual tokens before them.
        """
        packed = self._packed
        if packed is None:
            raise EngineError("a model in training mode dropped states before its first batch")
        shape = states.shape[:-1]
        if shape.numel() == len(packed.ids):
            return self._key("tokens", packed)
        if shape.numel() == len(packed.read):
            return self._key("tokens", packed)[packed.read]
        if len(shape) == 2 and shape[0] == len(packed.lengths):
            return self._key(f"padded {shape[1]}", packed)
        raise EngineError(
            f"dropout met states of shape {list(states.shape)} in a batch of {len(packed.ids)} "
            f"tokens and {len(packed.lengths)} items, so that it cannot tell whose each row is: "
            "set the model's or the method's dropout to 0"
        )

    def _key(self, layout: str, packed: Packed) -> Any:
        import torch

        if layout not in self._keys:
            device = packed.ids.device
            items = torch.tensor(packed.items, device=device).to(torch.int32)
            items = _mix(items ^ _number(f"{self.seed} {self._step}"))
            if layout == "tokens":
                lengths = torch.tensor(packed.lengths, device=device)
                owners, positions = items.repeat_interleave(lengths), packed.positions
            else:
                width = int(layout.split()[1])
                owners = items.repeat_interleave(width)
                positions = torch.arange(width, device=device).repeat(len(items))
            self._keys[layout] = _mix(owners + positions.to(torch.int32))
        return self._keys[layout]

    def _columns(self, place: str, width: int, device: Any) -> Any:
        """Return a key int32 for each pair of channels of a module."""
        import torch

        pairs = (width + 1) // 2
        known = self._channels.get(place)
        if known is None or len(known) < pairs:
            numbers = torch.arange(pairs, dtype=torch.int32, device=device)
            known = self._channels[place] = _mix(numbers + _number(place))
        return known[:pairs]


@contextmanager
def dropout_per_item(model: Any, seed: int) -> Iterator[Dropout]:
    """Let the model's dropout layers, and its attention, draw per item; then undo it.

    Raises EngineError for a layer that drops whole channels.
    """
    import torch

    masks, changed = Dropout(seed), []
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd) and module.p > 0:
            if not isinstance(module, torch.nn.Dropout):
                raise EngineError(
                    f"{name} is a {type(module).__name__}, which drops whole channels of a batch: "
                    "set its probability to 0"
                )
            vars(module)["forward"] = partial(masks.layer, name, module)
            changed.append(module)
    try:
        with dropping_attention(model, masks):
            yield masks
    finally:
        for module in changed:
            del vars(module)["forward"]


@contextmanager
def no_other_dropout(model: Any) -> Iterator[None]:
    """Refuse a forward that drops by calling PyTorch's functions itself; raises EngineError.

    Such a draw depends on the batch, and no layer can be put in its place. Slow: for one forward.
    """
    from torch.nn import functional
    from torch.overrides import TorchFunctionMode

    class Watch(TorchFunctionMode):
        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            given = kwargs or {}
            probability = 0.0
            if function is functional.dropout and given.get("training", True):
                probability = given.get("p", 0.5)
            elif function is functional.scaled_dot_product_attention:
                probability = given.get("dropout_p", 0.0)
            if probability > 0:
                raise _undrawable(model.config, probability)
            return function(*args, **given)

    with Watch():
        yield


def _undrawable(config: Any, probability: float) -> EngineError:
    fields = config.get_text_config().to_dict().items()
    named = [name for name, value in fields if "drop" in name and value == probability]
    return EngineError(
        f"{' or '.join(named) or 'dropout'} is {probability:g} in the model's config.json and is "
        "drawn inside its forward, where the draw depends on the batch: name a copy of the "
        "model's folder as the source (`path:`) and set it to 0 there"
    )


def _number(text: str) -> int:
    """Return 32 bits of a text's digest as a signed number."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little", signed=True)


def _mix(x: Any) -> Any:
    """Return the hash of each number of an int32 tensor, which is overwritten."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - (1 << 32)), (16, 1)):
        high = x >> shift
        x ^= high.bitwise_and_((1 << (32 - shift)) - 1)
        if factor != 1:
            x *= factor
    return x
