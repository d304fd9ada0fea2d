"""Generation: the text that a model gives to prompts, greedily or by beam search.

Prompts of similar length go together under a budget of positions, and a prompt that is done
leaves its batch. In float32 the text does not depend on what else is in the batch.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smalltune.core.errors import EngineError
from smalltune.engine.batching import by_tokens
from smalltune.engine.beams import Beams
from smalltune.engine.caches import Cache, LibraryCache, Texts
from smalltune.engine.choosing import Wanted
from smalltune.engine.decoding import LeanCache, decodes_lean
from smalltune.engine.fitting import in_batches
from smalltune.engine.fronts import front_of
from smalltune.engine.prefixes import prefix_of
from smalltune.engine.segments import Segments

__all__ = ["Decoding", "Generated", "generate"]

BUDGET = 16_384
DONE_SHARE = 16
"""A batch is made smaller once one in so many of its prompts is done."""

Found = list[tuple[list[int], float]]
"""Of each prompt the generated tokens, an end token included, and their log-probability."""


@dataclass(frozen=True)
class Decoding:
    """How text is chosen: at most `longest` new tokens; one beam is greedy.

    The score of a beam is its log-probability over its length, end token included, to the power
    of `length_penalty`.
    """

    longest: int = 64
    beams: int = 1
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no decoding can have; raises EngineError."""
        for name in ("longest", "beams"):
            if getattr(self, name) < 1:
                raise EngineError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not math.isfinite(self.length_penalty):
            raise EngineError(f"length_penalty must be a number, not {self.length_penalty}")


@dataclass(frozen=True)
class Generated:
    """What followed a prompt: its tokens without the end token, and whether there was one.

    `log_prob` is the sum over the generated tokens, the end token included, in nats.
    """

    tokens: tuple[int, ...]
    ended: bool
    log_prob: float


def generate(
    model: Any,
    prompts: Segments,
    decoding: Decoding,
    *,
    ends: Sequence[int],
    budget: int = BUDGET,
) -> list[Generated]:
    """Return what the model adds to each prompt, in the prompts' order.

    A text ends with one of the tokens `ends`, after `decoding.longest` new tokens, or where the
    model's context is full. `budget` is the number of positions whose keys and values are held
    at a time. Raises EngineError for a prompt that is empty or leaves no room for a token, for
    more beams than the vocabulary has tokens, and for logits that are not numbers.
    """
    import torch

    if not len(prompts):
        return []
    front = front_of(model)
    behind = prompts.lengths + (front.length if front else 0)
    limits = _limits(model, behind, decoding.longest)
    ending = sorted({int(token) for token in ends if token >= 0})
    _refuse_beams(model, decoding.beams, len(ending))
    made: list[tuple[list[int], float]] = [([], math.nan)] * len(prompts)
    with torch.inference_mode():
        cache = _cache(model, prompts, int((prompts.lengths + limits).max()))
        stops = torch.tensor(ending, dtype=torch.int64, device=cache.device)

        def answer(batch: NDArray[np.int64]) -> None:
            texts = [prompts[i] for i in batch]
            most = torch.from_numpy(limits[batch]).to(cache.device)
            if decoding.beams == 1:
                found = _greedy(cache, texts, most, stops)
            else:
                found = _beam_search(cache, texts, decoding, most, stops)
            for index, one in zip(batch, found, strict=True):
                made[index] = one

        def cut(items: NDArray[np.int64], positions: int) -> Iterator[NDArray[np.int64]]:
            batches = _batches(cache, prompts.lengths[items], decoding, positions)
            return (items[batch] for batch in batches)

        held = cache.held(prompts.lengths, decoding.beams, decoding.longest)
        in_batches(held, budget, answer, cut=cut)
    return [_generated(index, *one, ending) for index, one in enumerate(made)]


def _greedy(cache: Cache, prompts: Texts, limits: Any, ends: Any) -> Found:
    """Take the most probable token until each prompt is done."""
    import torch

    n, longest = len(prompts), int(limits.max())
    texts = limits.new_zeros(n, longest)
    lengths, log_probs = torch.zeros_like(limits), limits.new_zeros(n, dtype=torch.float64)
    rows, going = torch.arange(n, device=cache.device), torch.ones_like(limits, dtype=torch.bool)
    values, tokens = cache.begin(prompts, 1, longest, Wanted(1))
    for step in range(longest):
        texts[rows, step] = tokens[:, 0]
        log_probs[rows] += values[:, 0].where(going, 0.0)
        lengths[rows] += going
        going &= ~torch.isin(tokens[:, 0], ends) & (step + 1 < limits[rows])
        order = _order(going)
        if not len(order):
            break
        if len(order) < len(rows):
            cache.keep(order)
            rows, tokens, going = rows[order], tokens[order], going[order]
        values, tokens = cache.step(tokens, torch.zeros_like(tokens))
    cut = zip(texts.tolist(), lengths.tolist(), strict=True)
    return list(zip([text[:length] for text, length in cut], log_probs.tolist(), strict=True))


def _beam_search(cache: Cache, prompts: Texts, decoding: Decoding, limits: Any, ends: Any) -> Found:
    """Follow the best beams of each prompt until none can still win."""
    import torch

    beams = Beams(decoding.beams, decoding.length_penalty, limits, ends)
    found: Found = [([], math.nan)] * len(prompts)
    rows = torch.arange(len(prompts), device=cache.device)
    best = cache.begin(prompts, decoding.beams, int(limits.max()), beams.wanted)
    while True:
        tokens, parents = beams.advance(*best)
        order = _order(beams.open)
        if len(order) < len(rows):
            for row in (~beams.open).nonzero()[:, 0].tolist():
                found[int(rows[row])] = beams.best(row)
            if not len(order):
                return found
            cache.keep(order)
            beams.take(order)
            rows, tokens, parents = rows[order], tokens[order], parents[order]
        best = cache.step(tokens, parents)


def _order(going: Any) -> Any:
    """Return which rows [m] the next step has: all, or once enough are done those that go on.

    A row from the end takes the place of one that is done; the others stay where they are.
    """
    import torch

    n, left = len(going), int(going.sum())
    if left and (n - left) * DONE_SHARE < n:
        left = n
    order = torch.arange(left, device=going.device)
    if left < n:
        order[~going[:left]] = left + going[left:].nonzero()[:, 0]
    return order


def _cache(model: Any, prompts: Segments, longest: int) -> Cache:
    """Return the shortest exact way for this model to read texts of up to `longest` tokens."""
    if not decodes_lean(model):
        return LibraryCache(model)
    return LeanCache(model, prefix_of(model, prompts, longest, longest=longest))


def _batches(
    cache: Cache, lengths: NDArray[np.int64], decoding: Decoding, budget: int
) -> Iterator[NDArray[np.int64]]:
    """Yield the prompts of each batch, of one length only where the cache cannot mix them."""
    held = cache.held(lengths, decoding.beams, decoding.longest)
    groups = [np.arange(len(lengths))]
    if not cache.mixes:
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    for group in groups:
        for batch in by_tokens(held[group], _even(held[group], budget)):
            yield group[batch]


def _even(held: NDArray[np.int64], budget: int) -> int:
    """Return the least budget that needs no more batches, so that no small one is left over.

    A step takes little less time for a few prompts than for many.
    """
    fewest = sum(1 for _ in by_tokens(held, budget))
    low, high = 1, budget
    while low < high:
        middle = (low + high) // 2
        if sum(1 for _ in by_tokens(held, middle)) > fewest:
            low = middle + 1
        else:
            high = middle
    return high


def _limits(model: Any, lengths: NDArray[np.int64], longest: int) -> NDArray[np.int64]:
    """Return how many tokens may follow each prompt [n]; refuse one that none may follow."""
    if lengths.min() == 0:
        raise EngineError(f"prompt {int(lengths.argmin())} is empty: it needs a token at least")
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return np.full_like(lengths, longest)
    if lengths.max() >= context:
        raise EngineError(
            f"prompt {int(lengths.argmax())} has {lengths.max()} tokens, and the model's context "
            f"of {context} leaves room for none after it: cut it to {context - 1}"
        )
    limits: NDArray[np.int64] = np.minimum(longest, context - lengths)
    return limits


def _refuse_beams(model: Any, beams: int, ends: int) -> None:
    """Raise EngineError where fewer tokens than beams can follow a prompt."""
    others = model.config.get_text_config().vocab_size - ends
    if beams > others:
        raise EngineError(
            f"{beams} beams are too many for a vocabulary with {others} tokens that end no text"
        )


def _generated(index: int, tokens: list[int], log_prob: float, ends: list[int]) -> Generated:
    if not tokens or not math.isfinite(log_prob):
        raise EngineError(f"the model's logits after prompt {index} are not numbers")
    ended = tokens[-1] in ends
    return Generated(tuple(tokens[:-1] if ended else tokens), ended, log_prob)
