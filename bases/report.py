"""Write REPORT.md and its figures from what is kept: `make bases-report`.

records/ holds what keep.py took from the stores, measured.json what was measured beside them.
Nothing is trained here and no number is typed.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pilot
import transfer
from compute import share_of_peak
from curves import draw
from measured import known
from records import BASES, HERE, Record, kept, question

__all__ = ["report"]

HEAD = """\
# The three bases

Written by `make bases-report` from stored measurements; no number is typed. Llama-style, Qwen-style and DeepSeek-style
bases of our own, on one text, with one tokeniser; how the text was made stands in `corpus.json`. There is one size; a larger one
(M, of some twenty million parameters, trained on a GPU) is not there yet.
"""  # noqa: E501

YARDSTICKS = """\
Bits per byte on the held-out test documents, every token predicted, the end of a document too; the lower the better. In brackets:
95 % intervals over documents (jackknife; documents count by their bytes, differences are paired by document). The 5-gram model
is interpolated modified Kneser-Ney (Chen and Goodman, 1999) with the same tokeniser on exactly the tokens that the base saw; it also
looks across the borders of the base's context windows. `xz -9e` (LZMA with its container) sees no training text: each document alone
with its interval, and all test documents in one file.
"""  # noqa: E501


def report(root: Path) -> str:
    """Return the report on the bases in `root` and draw their losses there."""
    bases = kept(root)
    there = {base.name for base in bases}
    parts = [HEAD, "## Size and training\n", _training(bases, root)]
    parts += [
        f"{name}: not trained yet: `smalltune run bases/{name}`\n"
        for name in BASES
        if name not in there
    ]
    if bases:
        losses = {base.name: base.losses for base in bases}
        draw(losses, root / "loss.png", "Training loss (nats per token)")
        parts += [_alike(bases), "![Training losses](loss.png)\n"]
        parts += ["## Held-out text\n", YARDSTICKS, _held_out(bases, root)]
        parts += [text for base in bases if (text := _experts(base, root))]
    told, command = _study(root, "bases-transfer"), "`smalltune run studies/bases-transfer`"
    figure = root / "transfer.png"
    parts += ["## Transfer\n"]
    parts += [transfer.section(told, figure, command) if told else f"Not run yet: {command}\n"]
    told = _study(root, "optimiser-pilot")
    parts += ["## Which optimiser\n"]
    missing = "Not run yet: `smalltune run bases/optimiser-pilot`\n"
    parts += [pilot.table(told, _taken(bases)) if told else missing]
    return "\n".join(parts)


def _taken(bases: Sequence[Record]) -> str:
    """Return with which optimiser and rate the bases were trained, and for how long."""
    said = []
    for base in bases:
        asked, steps = base.spec["training"], base.facts["steps"]
        said.append(f"{asked['optimiser']} at {asked['learning_rate']:g}, for {steps:,} steps")
    ways = " or ".join(dict.fromkeys(said))
    return f"The bases were trained with {ways}." if ways else ""


def _study(root: Path, name: str) -> Any:
    path = root / "records" / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _training(bases: Sequence[Record], root: Path) -> str:
    rows = []
    for base in bases:
        sizes = " | ".join(f"{base.counts[k]:,}" for k in ("total", "inner", "active"))
        peak = share_of_peak(base, root)
        rows.append(
            f"| {base.name} | {sizes} | {base.facts['tokens']:,} | {base.cpu_seconds / 60:,.0f} | "
            f"{base.speed:,.0f} | {f'{peak:.0%}' if peak else 'not measured'} |"
        )
    head = "| base | parameters | besides embeddings | of these active | tokens | CPU minutes | "
    rule = f"tokens a CPU second | of the matmul peak (aim: 50%) |\n|---|{'---:|' * 7}\n"
    return head + rule + "\n".join(rows) + "\n"


def _alike(bases: Sequence[Record]) -> str:
    """Return whether the bases saw the same tokens, and how far their sizes lie apart."""
    same = len({question(base) for base in bases}) == 1
    rules = len({str(base.spec["training"]) for base in bases}) == 1
    active = [base.counts["active"] for base in bases]
    saw = "the same tokens in the same order" if same else "**not** the same tokens"
    taught = "the same" if rules else "**different**"
    return (
        f"They saw {saw}, with {taught} training options; active parameters differ by at most "
        f"{max(active) / min(active) - 1:.1%}.\n"
    )


def _held_out(bases: Sequence[Record], root: Path) -> str:
    from smalltune.analysis.contrasts import contrast
    from smalltune.analysis.intervals import estimate

    rows = []
    for base in bases:
        sample = base.sample()
        stored = known(root, "yardsticks", question(base))
        cells = [base.name, _with_interval(estimate(sample))]
        if stored is None:
            cells += ["not measured: `python bases/keep.py`", "", "", "", ""]
        else:
            ngram, xz = (_beside(sample, stored, name) for name in ("ngram", "xz"))
            gap = contrast(sample, ngram).estimate
            together = stored["xz_together_bits"] / sum(stored["bytes"])
            verdict = "yes" if gap.high < 0 else "no"
            cells += [_with_interval(estimate(ngram)), _with_interval(gap), verdict]
            cells += [_with_interval(estimate(xz)), f"{together:.3f}"]
        rows.append(f"| {' | '.join(cells)} |")
    head = "| base | bits per byte | 5-gram | base - 5-gram | below | xz, each | xz, all in one |\n"
    return f"{head}|---|---|---|---|---|---|---:|\n" + "\n".join(rows) + "\n"


def _beside(sample: Any, stored: dict[str, Any], name: str) -> Any:
    """Return a yardstick's bits and bytes as a sample that can be set beside a base's."""
    from dataclasses import replace

    stats = np.array([stored[f"{name}_bits"], stored["bytes"]], dtype=np.float64).T[None]
    stats = np.repeat(stats, len(sample.seeds), axis=0)
    return replace(sample, method=name, stats=stats, items=tuple(stored["items"]), keys=())


def _experts(base: Record, root: Path) -> str:
    stored = known(root, "experts", base.key)
    if not stored:
        return ""
    width = len(next(iter(stored.values())))
    rows = [
        f"| {name.split('.')[2]} | {' | '.join(f'{share:.1%}' for share in shares)} |"
        for name, shares in stored.items()
    ]
    least = min(min(shares) for shares in stored.values())
    return (
        f"### How {base.name} uses its experts\n\n"
        f"Shares of the router's choices on the held-out test documents; even would be "
        f"{1 / width:.1%} each, the least used expert has {least:.1%}. {_balance(base)}\n\n"
        f"| layer | {' | '.join(f'expert {i + 1}' for i in range(width))} |\n"
        f"|---|{'---:|' * width}\n" + "\n".join(rows) + "\n"
    )


def _balance(base: Record) -> str:
    step = base.spec["method"]["options"].get("balance")
    if not step:
        return "Nothing in the training asks for balance."
    return (
        f"In training a correction that the router adds to its scores moves by {step:g} a step "
        "towards balance; no term of the loss asks for it."
    )


def _with_interval(found: Any) -> str:
    ends = "" if np.isnan(found.low) else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.value:.3f}{ends}"


def main() -> None:
    """Write REPORT.md; leave the one that stands when nothing is kept."""
    if not kept(HERE):
        sys.exit("no base is kept yet: `smalltune run bases/NAME`, then `python bases/keep.py`")
    (HERE / "REPORT.md").write_text(report(HERE), encoding="utf-8")
    print(HERE / "REPORT.md")


if __name__ == "__main__":
    main()
