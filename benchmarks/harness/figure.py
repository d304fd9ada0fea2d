"""Figure: by how much smalltune leads in each pair, and how time grows with length and size."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.tables import TITLES, Record, best_trainer, clock_of, ratio_of
from harness.timing import spread

__all__ = ["draw"]

PEERS = {
    "smalltune": "#000000", "trainer": "#0072B2", "best": "#0072B2", "sft": "#D55E00",
    "lm_eval": "#009E73", "generate": "#CC79A7",
}  # fmt: skip
"""A colour for each program, of Okabe and Ito's, which the colour-blind can tell apart."""

TUNED = (
    "best",
    "trainer_packed",
    "trainer_like",
    "sft_packed",
    "lm_eval_batched",
    "generate_sorted",
    "smalltune_like",
)
"""The settings that are drawn paler than a program's default."""


def colour(variant: str) -> tuple[float, float, float]:
    """Return a program's colour, paler for a tuned setting."""
    from matplotlib.colors import to_rgb

    program = next(
        name for name in sorted(PEERS, key=len, reverse=True) if variant.startswith(name)
    )
    paler = 0.5 if variant in TUNED else 0.0
    red, green, blue = (1 - (1 - paler) * (1 - part) for part in to_rgb(PEERS[program]))
    return red, green, blue


def draw(records: Mapping[str, Record], pairs: Sequence[Any], folder: Path) -> list[Path]:
    """Write speed.png and speed.pdf into a folder; return their paths, none without records."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["pdf.fonttype"] = 42
    from matplotlib import pyplot

    good = [p for p in pairs if {"runs", "points"} & records.get(p.name, {}).keys()]
    good = [p for p in good if not records[p.name].get("refused")]
    bars = [p for p in good if p.kind in ("train", "evaluate", "generate")]
    curves = [p for p in good if p.kind == "scaling"]
    if not bars:
        return []
    height = max(4.0, 0.2 + 0.17 * sum(len(_ratios(records[p.name])) + 1 for p in bars))
    figure, axes = pyplot.subplots(
        1, 1 + bool(curves), figsize=(8 + 4 * bool(curves), height), squeeze=False
    )
    _bars(axes[0][0], bars, records)
    if curves:
        _curves(axes[0][1], curves, records)
    figure.tight_layout()
    paths = [folder / "speed.png", folder / "speed.pdf"]
    for path in paths:
        figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return paths


def _ratios(record: Record) -> dict[str, Any]:
    """Return the ratios that are drawn: of Trainer's tuned settings only the best."""
    names = [name for name in record["runs"] if not name.startswith(("smalltune", "trainer_"))]
    found = {name: ratio_of(record, name) for name in names}
    if any(name.startswith("trainer_") for name in record["runs"]):
        found["best"] = ratio_of(record, best_trainer(record))
    return dict(sorted(found.items()))


def _bars(axes: Any, pairs: Sequence[Any], records: Mapping[str, Record]) -> None:
    place, ticks, labelled = 0.0, [], set()
    for pair in pairs:
        ratios = _ratios(records[pair.name])
        ticks.append((place + (len(ratios) - 1) / 2, pair.name))
        for name, found in ratios.items():
            axes.barh(
                place,
                found.median,
                xerr=[[found.median - found.low], [found.high - found.median]],
                color=colour(name),
                label=TITLES[name] if name not in labelled else None,
                error_kw={"linewidth": 0.8},
            )
            labelled.add(name)
            place += 1
        place += 1
    axes.axvline(1.0, color="#222222", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.set_yticks([tick for tick, _ in ticks], [name for _, name in ticks], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("time over smalltune's (log scale; lines: lowest and highest)")
    axes.legend(fontsize=7, loc="best")


def _curves(axes: Any, pairs: Sequence[Any], records: Mapping[str, Record]) -> None:
    styles = iter(("-", "--", ":"))
    for pair in pairs:
        record, style = records[pair.name], next(styles)
        by_length = any(point["length"] for point in record["points"])
        for name in record["points"][0]["runs"]:
            points = [
                (
                    point["length"] if by_length else point["parameters"] / 1e6,
                    1e6 * spread(point["runs"][name][clock_of(record)]).median / point["tokens"],
                )
                for point in record["points"]
            ]
            unit = "tokens a row" if by_length else "million parameters"
            axes.plot(
                *zip(*points, strict=True), style, marker="o", markersize=3,
                color=colour(name), label=f"{TITLES[name]}, by {unit}",
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("tokens a row, or million parameters")
    axes.set_ylabel("microseconds a token")
    axes.legend(fontsize=7)
