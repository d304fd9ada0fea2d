"""Make the tables of this study that are no data set of somebody else's, into `made/`.

They are made of news reports (../shared/corpora/abc_news), which the base was not pre-trained on:
two repositories with the columns of XSum and CNN/DailyMail, for a hub on loopback, and a table for
each kind of task on data of one's own. The same reports give the same bytes.
"""

import csv
import hashlib
import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weather import reports

from smalltune.data.tables import stream_lines

__all__ = ["make"]

HERE = Path(__file__).parent
NEWS = HERE / "../../../shared/corpora/abc_news.jsonl.zst"
HELD_OUT = {"test": 150, "dev": 75}
CARD = """\
---
configs:
- config_name: 3.0.0
  data_files:
  - {split: train, path: 3.0.0/train-*}
  - {split: validation, path: 3.0.0/validation-*}
  - {split: test, path: 3.0.0/test-*}
---
"""
WISHES = (
    ("Write the sentence with which this news report begins.", lambda one: one.lead),
    ("Give this news report a title of a few words.", lambda one: one.title),
    ("Write the last paragraph of this news report.", lambda one: one.lines[-1]),
)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Report:
    """A news report: the desk it is from, its title or caption, its first sentence, its rest."""

    desk: str
    title: str
    lead: str
    lines: tuple[str, ...]

    @property
    def name(self) -> str:
        """A name that the text decides."""
        return hashlib.sha256("\n".join((self.title, self.lead)).encode()).hexdigest()[:12]

    @property
    def rest(self) -> str:
        """All but the title and the first sentence."""
        return "\n".join(self.lines)


def make(folder: Path) -> Path:
    """Write all tables below `folder`; return the root of the hub's repositories."""
    folder.mkdir(parents=True, exist_ok=True)
    desks = {desk: parted(news(desk)) for desk in ("rural", "science")}
    both = {role: [one for desk in desks.values() for one in desk[role]] for role in desks["rural"]}
    hub = folder / "hub"
    xsum = hub / "datasets/EdinburghNLP/xsum/data"
    for role, some in desks["rural"].items():
        publish(xsum, role, ({"document": r.rest, "summary": r.lead, "id": r.name} for r in some))
    cnn = hub / "datasets/abisee/cnn_dailymail/3.0.0"
    for role, some in desks["science"].items():
        told = ({"article": r.rest, "highlights": f"{r.title}\n{r.lead}", "id": r.name}
                for r in some)  # fmt: skip
        publish(cnn, role, told)
    (cnn.parent / "README.md").write_text(CARD)
    for role, some in both.items():
        table(folder / f"desk-{role}.csv", passages(some))
        lines(folder / f"next-{role}.jsonl", continuations(some))
        lines(folder / f"stories-{role}.jsonl", ({"text": f"{r.lead}\n{r.rest}"} for r in some))
    for role, some in desks["rural"].items():
        lines(folder / f"wishes-{role}.jsonl", conversations(some))
    weather = reports(800, seed=0)
    for role, few in (("test", weather[:150]), ("dev", weather[150:225]), ("train", weather[225:])):
        lines(folder / f"weather-{role}.jsonl", few)
    return hub


def news(desk: str) -> list[Report]:
    """Return the reports of one desk that have a title, a sentence and something more, each once.

    In the file a blank line stands between two reports, and a report's first line is its title.
    """
    whole = next(raw["text"] for _, raw in stream_lines(NEWS) if raw["id"] == f"abc/{desk}.txt")
    found: dict[str, Report] = {}
    for text in whole.replace("\r\n", "\n").split("\n\n"):
        parts = [line.strip() for line in text.splitlines() if line.strip()]
        if len(parts) > 3 and len(parts[1].split()) >= 8:
            title, lead, *rest = parts
            one = Report(desk, title, lead, tuple(rest))
            found.setdefault(one.name, one)
    return list(found.values())


def parted(some: Iterable[Report]) -> dict[str, list[Report]]:
    """Return the reports by split, drawn by what their text hashes to."""
    rest = sorted(some, key=lambda one: one.name)
    found = {}
    for role, count in HELD_OUT.items():
        found[role], rest = rest[:count], rest[count:]
    return found | {"train": rest}


def passages(some: Iterable[Report]) -> Iterable[Row]:
    """Yield the longest paragraph of each report and the desk it is from."""
    for one in some:
        yield {"report": one.name, "passage": max(one.lines, key=len), "desk": one.desk}


def continuations(some: Sequence[Report]) -> Iterable[Row]:
    """Yield the beginning of each report and four paragraphs, of which one comes next.

    The others come at the same place of other reports of the same desk.
    """
    rng = random.Random(0)
    for one in some:
        others = [other.lines[0] for other in some if other.desk == one.desk and other is not one]
        wrong = rng.sample(sorted(set(others) - {one.lines[0]}), 3)
        place = rng.randrange(4)
        choices = [*wrong[:place], one.lines[0], *wrong[place:]]
        yield {"beginning": f"{one.title}\n{one.lead}", "choices": choices, "right": place}


def conversations(some: Iterable[Report]) -> Iterable[Row]:
    """Yield a wish about each report and its fulfilment, as two messages."""
    for number, one in enumerate(some):
        wish, fulfil = WISHES[number % len(WISHES)]
        asked = {"role": "user", "content": f"{wish}\n\n{one.rest}"}
        yield {"messages": [asked, {"role": "assistant", "content": fulfil(one)}]}


def publish(folder: Path, role: str, rows: Iterable[Row]) -> None:
    """Write a split as the hub has it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    split = {"dev": "validation"}.get(role, role)
    whole = pa.Table.from_pylist(list(rows))
    pq.write_table(whole, folder / f"{split}-00000-of-00001.parquet")


def table(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as CSV."""
    first, *rest = rows
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, first)
        writer.writeheader()
        writer.writerows([first, *rest])


def lines(path: Path, rows: Iterable[Row]) -> None:
    """Write rows as JSON lines."""
    said = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(said), encoding="utf-8")


if __name__ == "__main__":
    print(make(HERE / "made"))
