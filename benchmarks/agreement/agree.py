"""Agree: run both sides on every base and set; keep what came out, and say what is too far."""

import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agreement import ours, theirs
from agreement.compare import LIMIT, compared, faults
from agreement.draws import DRAWN, SOURCES, draw
from agreement.report import report
from agreement.sets import SETS, Set
from agreement.trained import NAME, TRAINING, train_base

__all__ = ["Base", "agree", "bases", "compare_base"]


@dataclass(frozen=True)
class Base:
    """A base by its `source` in a study file and its `folder`, with a context of `length`."""

    name: str
    source: str
    folder: Path
    length: int


def agree(data: Path, checkpoints: Path, out: Path, threads: int) -> list[str]:
    """Write agreement.json and AGREEMENT.md into `out`; return what is outside the tolerances."""
    from harness.machine import describe
    from harness.results import write_whole

    start = time.perf_counter()
    record: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe(threads),
        "training": dict(TRAINING),
        "limit": LIMIT,
        "sources": {name: _digests(data, SOURCES[name]) for name in DRAWN},
        "sets": {each.name: _told(each) for each in SETS},
        "bases": {},
    }
    with tempfile.TemporaryDirectory() as name:
        files = {each: draw(data, each, Path(name), rows) for each, rows in DRAWN.items()}
        record["rows"] = {each: _digests(Path(), [files[each]["test"]]) for each in files}
        learned = train_base(Path(name), data / SOURCES["sst2"][0], files["sst2"], threads)
        for base in [*bases(checkpoints), _base(NAME, str(learned), learned)]:
            found = compare_base(base, SETS, files, Path(name) / "studies" / base.name, threads)
            record["bases"][base.name] = {
                "files": _digests(base.folder, ["model.safetensors", "tokenizer.json"]),
                "context": base.length,
                "found": found,
            }
    record["seconds"] = round(time.perf_counter() - start, 1)
    wrong = [
        f"{base}, {name}: {fault}"
        for base, each in record["bases"].items()
        for name, found in each["found"].items()
        for fault in faults(found)
    ]
    record["faults"] = wrong
    write_whole(out / "agreement.json", record)
    (out / "AGREEMENT.md").write_text(report(json.loads((out / "agreement.json").read_text())))
    return wrong


def bases(checkpoints: Path) -> list[Base]:
    """Return the embedded base, and a checkpoint with a Llama tokeniser where it is there."""
    import smalltune

    embedded = Path(smalltune.__file__).parent / "embedded" / "models" / "micro-llama"
    found = [_base("micro-llama", "embedded:micro-llama", embedded)]
    other = (checkpoints / "stories260K").resolve()
    if other.is_dir():
        found.append(_base(other.name, str(other), other))
    return found


def compare_base(
    base: Base,
    sets: Sequence[Set],
    files: Mapping[str, Mapping[str, Path]],
    folder: Path,
    threads: int,
) -> dict[str, Any]:
    """Return how far the two sides lie apart on each set, both run anew."""
    from smalltune.models.loading import load_model

    text = ours.study_file(base.source, sets, files, base.length)
    study = ours.run_study(folder, text, threads)
    model = load_model(base.folder)
    lm = theirs.harness_model(base.folder, base.length)
    samples = theirs.run_harness(lm, sets, files)
    return {
        each.name: compared(
            ours.answers(study, each, model),
            theirs.answers(lm, each, samples[each.name]),
            base.length,
        )
        for each in sets
    }


def _base(name: str, source: str, folder: Path) -> Base:
    config = json.loads((folder / "config.json").read_text())
    return Base(name, source, folder, int(config["max_position_embeddings"]))


def _told(each: Set) -> dict[str, Any]:
    """Return what both sides were told of a set, as their files would say it."""
    return {
        "title": each.title,
        "data": each.data,
        "smalltune": each.entries,
        "prompt": ours.template(each),
        "lm_eval": theirs.task_config(each),
    }


def _digests(folder: Path, names: Sequence[str | Path]) -> dict[str, str]:
    from smalltune.core.keys import file_digest

    return {Path(name).name: file_digest(folder / name) for name in dict.fromkeys(names)}
