"""Compare: how far two answers to one set lie apart, and what of it is too far."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agreement.answers import Answers

__all__ = ["LIMIT", "compared", "faults"]

LIMIT = 1e-4
"""The largest difference in nats of a log-likelihood, over all items and choices."""

LEAST = 100
"""Fewer items than these say little."""


def compared(ours: Answers, theirs: Answers, length: int) -> dict[str, Any]:
    """Return counts, accuracies and distances over the items that fit into `length` tokens.

    A text that does not fit is cut at other places by the two sides, so such items are left out
    and counted, by what lm-eval would have read whole.
    """
    fits = _fits(theirs, length)
    width = ours.sums.shape[1]
    asked = [i for i in np.flatnonzero(fits) if ours.asked[i] != theirs.asked[i]]
    return {
        "items": len(fits),
        "cut": int((~fits).sum()),
        "cut_by_smalltune": ours.cut,
        "compared": int(fits.sum()),
        "choices": sorted({len(choices) for choices in theirs.asked}),
        "tokens_of_a_choice": _spread([len(c) for each in theirs.asked for _, c in each]),
        "tokens_of_a_prompt": _spread([len(each[0][0]) for each in theirs.asked]),
        "other_tokens": len(asked),
        "log_likelihoods": _distance(ours.sums, theirs.sums, fits),
        "log_probabilities": _distance(ours.log_probs, theirs.log_probs, fits),
        "metrics": {
            metric: {
                "chosen": np.bincount(ours.predicted[metric][fits], minlength=width).tolist(),
                "smalltune": _share(ours.right[metric], fits),
                "lm_eval": _share(theirs.right[metric], fits),
                "other_answers": int(
                    (ours.predicted[metric] != theirs.predicted[metric])[fits].sum()
                ),
                "judged_otherwise": int((ours.right[metric] != theirs.right[metric])[fits].sum()),
            }
            for metric in theirs.right
        },
    }


def faults(found: Mapping[str, Any]) -> list[str]:
    """Return what is outside the tolerances, each in one line; nothing is []."""
    wrong = []
    if found["compared"] < LEAST:
        wrong.append(f"only {found['compared']} items were compared")
    if found["cut"] != found["cut_by_smalltune"]:
        wrong.append(
            f"{found['cut']} items are too long, and smalltune cut {found['cut_by_smalltune']}"
        )
    if found["other_tokens"]:
        wrong.append(f"{found['other_tokens']} items were read as other tokens")
    for what in ("log_likelihoods", "log_probabilities"):
        if not found[what] <= LIMIT:
            wrong.append(f"{what.replace('_', '-')} differ by {found[what]:.2g}")
    for metric, each in found["metrics"].items():
        wrong += _judged(metric, each)
    return wrong


def _judged(metric: str, each: Mapping[str, Any]) -> list[str]:
    """Return where the two sides judge otherwise."""
    wrong = []
    if each["smalltune"] != each["lm_eval"]:
        wrong.append(f"{metric} is {each['smalltune']} here and {each['lm_eval']} there")
    if count := max(each["other_answers"], each["judged_otherwise"]):
        wrong.append(f"{metric}: {count} items have another answer")
    return wrong


def _fits(theirs: Answers, length: int) -> NDArray[np.bool_]:
    """Return whether each prompt fits with the longest of its own choices."""
    return np.array(
        [
            max(len(prompt) + len(choice) for prompt, choice in each) <= length
            for each in theirs.asked
        ]
    )


def _distance(ours: Any, theirs: Any, fits: NDArray[np.bool_]) -> float:
    """Return the largest difference; NaN, which no limit allows, where there is nothing."""
    return float(np.abs(ours - theirs)[fits].max()) if fits.any() else float("nan")


def _share(right: NDArray[np.bool_], fits: NDArray[np.bool_]) -> float:
    return float(right[fits].mean()) if fits.any() else float("nan")


def _spread(sizes: list[int]) -> list[int]:
    """Return the smallest, the median and the largest."""
    return [min(sizes), int(np.median(sizes)), max(sizes)]
