"""Figure: by how much smalltune leads in each pair, and how time grows with length and size.

A panel shows one quantity: times of the processor over smalltune's, times of the clock of whole
studies over smalltune's, peak memory, and microseconds a token by length of rows and by size of
model. What was not measured has no panel. A dashed tick is the aim against the variant of its bar;
an asterisk marks a pair that was measured on a loaded machine.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.measures import (
    TITLES,
    Record,
    best_trainer,
    clock_of,
    loaded,
    many_runs,
    ratio_of,
)
from harness.results import trouble
from harness.timing import Spread, spread

__all__ = ["draw"]

PEERS = {
    "smalltune": "#000000", "trainer": "#0072B2", "best": "#0072B2", "sft": "#D55E00",
    "lm_eval": "#009E73", "generate": "#CC79A7", "one_by_one": "#E69F00",
    "side_by_side": "#E69F00", "side_by_side_packed": "#F0E442",
}  # fmt: skip
"""A colour for each program, of Okabe and Ito's, which the colour-blind can tell apart."""

TUNED = (
    "best",
    "trainer_packed",
    "trainer_like",
    "sft_packed",
    "lm_eval_best",
    "generate_best",
    "smalltune_like",
    "side_by_side",
)
"""The settings that are drawn paler than a program's default."""

Panel = Callable[[Any], None]
Values = Mapping[str, tuple[Spread, float | None]]
Bars = Sequence[tuple[str, Values]]
"""Pairs by how they are named, with a value and an aim, None without one, by variant."""

SETTINGS = {"trainer_packed": "packed", "trainer_like": "like lengths"}
"""What the best setting of Trainer is called beside a pair's name."""


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
    good = [p for p in good if not trouble(p.name, records[p.name])]
    first, rest = _panels(good, records)
    if not first and not rest:
        return []
    bars = sum(len(found) + 1 for _, found in first)
    figure = pyplot.figure(figsize=(14, max(3.0 * len(rest), 1.0 + 0.17 * bars)))
    grid = figure.add_gridspec(max(1, len(rest)), 2)
    if first:
        _ratios(figure.add_subplot(grid[:, 0]), first, "time over smalltune's")
    for row, panel in enumerate(rest):
        panel(figure.add_subplot(grid[row, 1]))
    if any(loaded(records[pair.name]) for pair in good):
        figure.text(0.01, 0.004, "* measured on a loaded machine", fontsize=7)
    figure.tight_layout(rect=(0, 0.012, 1, 1))
    paths = [folder / "speed.png", folder / "speed.pdf"]
    for path in paths:
        figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return paths


def _panels(pairs: Sequence[Any], records: Mapping[str, Record]) -> tuple[Bars, list[Panel]]:
    """Return the bars of the first panel, and what draws each of the others."""

    def of(*kinds: str) -> list[Any]:
        return [pair for pair in pairs if pair.kind in kinds]

    def bars(said: Callable[[Record], Mapping[str, Spread]], *kinds: str) -> Bars:
        return [(_named(p, records[p.name]), _aimed(p, said(records[p.name]))) for p in of(*kinds)]

    first = bars(_of_times, "train", "evaluate", "generate")
    rest: list[Panel] = []
    if studies := bars(_of_studies, "study"):
        rest.append(lambda axes: _ratios(axes, studies, "a study's wall time over smalltune's"))
    if memories := bars(_of_memory, "memory"):
        rest.append(lambda axes: _memory(axes, memories))
    curves = [records[pair.name] for pair in of("scaling")]
    for key, said in (("length", "tokens a row"), ("parameters", "parameters")):
        by = [one for one in curves if any(p["length"] for p in one["points"]) == (key == "length")]
        if by:
            rest.append(lambda axes, by=by, key=key, said=said: _curves(axes, by, key, said))
    return first, rest


def _named(pair: Any, record: Record) -> str:
    """Return a pair's name, marked where the machine was loaded, with Trainer's best setting."""
    name = pair.name + ("*" if loaded(record) else "")
    if any(variant.startswith("trainer_") for variant in record["runs"]) and pair.kind == "train":
        name += f"\nbest Trainer: {SETTINGS[best_trainer(record)]}"
    return name


def _aimed(pair: Any, values: Mapping[str, Spread]) -> Values:
    """Return values beside their aims. Of memory the aim is smalltune's share of the variant's."""
    aims = dict(pair.aims)
    if pair.kind == "memory":
        share = aims.pop("trainer", None)
        aims = {} if share is None else {"smalltune": share * values["trainer"].median}
    return {name: (found, aims.get(name)) for name, found in values.items()}


def _of_times(record: Record) -> dict[str, Spread]:
    """Return the ratios that are drawn: of Trainer's tuned settings only the best."""
    names = [name for name in record["runs"] if not name.startswith(("smalltune", "trainer_"))]
    found = {name: ratio_of(record, name) for name in names}
    if any(name.startswith("trainer_") for name in record["runs"]):
        found["best"] = ratio_of(record, best_trainer(record))
    return dict(sorted(found.items()))


def _of_studies(record: Record) -> dict[str, Spread]:
    """Return the ratios for the largest study that was computed."""
    count = max(record["computed"], key=int)
    return {name: many_runs(record, name, count) for name in record["runs"] if name != "smalltune"}


def _of_memory(record: Record) -> dict[str, Spread]:
    """Return the peaks in gigabytes, each measured once."""
    return {name: spread([run["peak"] / 1e9]) for name, run in record["runs"].items()}


def _ratios(axes: Any, bars: Bars, said: str) -> None:
    _bars(axes, bars)
    axes.axvline(1.0, color="#222222", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.set_xlabel(f"{said} (log scale; lines: lowest and highest)")


def _memory(axes: Any, bars: Bars) -> None:
    _bars(axes, bars)
    axes.set_xlabel("peak memory of training, GB")


def _bars(axes: Any, bars: Bars) -> None:
    """Draw a group of bars for each pair, named on the left, and tell the variants by colour."""
    place, ticks, labelled = 0.0, [], set()
    for pair, values in bars:
        ticks.append((place + (len(values) - 1) / 2, pair))
        for name, (found, aim) in values.items():
            if aim is not None:
                axes.vlines(aim, place - 0.5, place + 0.5, color="red", linestyle=(0, (2, 1)))
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
    axes.set_yticks([tick for tick, _ in ticks], [name for _, name in ticks], fontsize=7)
    axes.set_ylim(place - 0.5, -1.0)
    if any(aim is not None for _, values in bars for _, aim in values.values()):
        axes.plot([], [], color="red", linestyle=(0, (2, 1)), label="aim")
    _legend(axes)


def _legend(axes: Any) -> None:
    """Put the legend above the axes, where it hides nothing."""
    axes.legend(fontsize=7, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False)


def _curves(axes: Any, records: Sequence[Record], key: str, said: str) -> None:
    """Draw microseconds a token against what the points differ in."""
    for record in records:
        for name in record["points"][0]["runs"]:
            points = [
                (
                    point[key],
                    1e6 * spread(point["runs"][name][clock_of(record)]).median / point["tokens"],
                )
                for point in record["points"]
            ]
            line = zip(*points, strict=True)
            axes.plot(*line, "-", marker="o", markersize=3, color=colour(name), label=TITLES[name])
    axes.set_xscale("log")
    axes.set_yscale("log")
    mark = "*" if any(loaded(record) for record in records) else ""
    axes.set_xlabel(f"{said}{mark} (log scale)")
    axes.set_ylabel("microseconds a token")
    _legend(axes)
