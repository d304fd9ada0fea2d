"""Endings: several continuations of each prompt in one forward, the prompt computed once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from smalltune.engine.packing import Batch, Packed, of_arrays
from smalltune.engine.segments import Segments

__all__ = ["Asked", "Endings", "fed_tokens", "pack_endings"]

Endings = Sequence[Sequence[Sequence[int]]]
"""For each prompt the token sequences that may follow it."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Asked:
    """`n` tokens whose probability is wanted; the arrays are int64 [n].

    Token `targets[i]` follows the read position `rows[i]`, ascending; it belongs to the ending
    `which[i]` of the segment at place `owners[i]` of the packed batch.
    """

    rows: Numbers
    targets: Numbers
    owners: Numbers
    which: Numbers


def fed_tokens(prompts: Segments, endings: Endings, skip: int = 0) -> Numbers:
    """Return how many tokens each prompt takes with its endings [n]."""
    added = [sum(max(0, len(ending) - 1) for ending in each) for each in endings]
    return prompts.lengths - skip + np.array(added, dtype=np.int64)


def pack_endings(
    prompts: Segments, endings: Endings, batch: Batch, device: str, *, skip: int = 0
) -> tuple[Packed, Asked]:
    """Return the prompts at `batch`, each with its endings as branches, and what is asked of them.

    All tokens of an ending but the last are fed. Read are, in each segment, the last token of the
    prompt and then every token of every branch. The first `skip` tokens of the prompts stand
    before every segment and are not fed.
    """
    import torch

    indices = np.asarray(batch, dtype=np.int64)
    sizes = fed_tokens(prompts, endings, skip)[indices]
    indices = indices[np.argsort(sizes, kind="stable")]
    trees = [_tree(prompts[i][skip:], endings[i]) for i in indices]
    packed = of_arrays(
        fed=[tree.fed for tree in trees],
        read=[np.arange(tree.trunk - 1, len(tree.fed)) for tree in trees],
        targets=[],
        positions=[skip + tree.positions for tree in trees],
        items=indices,
        device=device,
    )
    branches = torch.from_numpy(np.concatenate([tree.branches for tree in trees])).to(device)
    before = np.cumsum([0, *(len(tree.fed) - tree.trunk + 1 for tree in trees)])
    asked = Asked(
        np.concatenate([start + t.rows for start, t in zip(before, trees, strict=False)]),
        np.concatenate([tree.targets for tree in trees]),
        np.repeat(np.arange(len(trees)), [len(tree.rows) for tree in trees]),
        np.concatenate([tree.which for tree in trees]),
    )
    return replace(packed, branches=branches), asked


@dataclass(frozen=True)
class _Tree:
    """One prompt, `trunk` tokens, with its endings; rows count from the prompt's last token."""

    trunk: int
    fed: NDArray[np.int32]
    positions: Numbers
    branches: Numbers
    rows: Numbers
    targets: Numbers
    which: Numbers


def _tree(prompt: NDArray[np.int32], endings: Sequence[Sequence[int]]) -> _Tree:
    trunk = len(prompt)
    fed, positions, branches = [*prompt], [*range(trunk)], [0] * trunk
    asked = [(0, int(ending[0]), place) for place, ending in enumerate(endings) if len(ending)]
    for place, ending in enumerate(endings):
        for depth, (token, following) in enumerate(pairwise(ending)):
            fed.append(token)
            positions.append(trunk + depth)
            branches.append(place + 1)
            asked.append((len(fed) - trunk, int(following), place))
    rows, targets, which = np.array(asked, dtype=np.int64).reshape(-1, 3).T
    return _Tree(
        trunk,
        np.array(fed, dtype=np.int32),
        np.array(positions, dtype=np.int64),
        np.array(branches, dtype=np.int64),
        rows,
        targets,
        which,
    )
