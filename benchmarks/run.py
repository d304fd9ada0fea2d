"""The benchmark: measures every pair, keeps what is finished, writes results and figure.

    make bench                              all pairs; goes on where a run was stopped
    make bench QUICK=1                      a few minutes, to see that everything works
    make bench ONLY=train:micro             the pairs whose names begin so
    make bench ONLY=train:micro AGAIN=1     the same, also those that are finished
    make bench LOADED=1                     studies and forecasts even on a loaded machine
    make bench ONLY=agreement               the scores, not the time, beside lm-eval's
    tools/bench.sh --list                   all names
    tools/bench.sh --report                 write RESULTS.md and the figure from results.json

Pairs of one kind and shape run in one process, their variants in turn within it. Results are kept
after every pair in benchmarks/results.json; quick ones in build/benchmark, which git ignores.
Studies, the profile of one and forecasts are timed by the clock: they are not measured while other
processes keep the machine busy, unless that is asked for.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LOGS = HERE.parent / "build" / "benchmark"
ROOMS = {
    "train": "training", "evaluate": "evaluation", "generate": "generation", "study": "studies",
    "memory": "memory", "scaling": "lengths", "trials": "trials", "profile": "profiles",
    "losses": "losses", "forecast": "forecasts",
}  # fmt: skip
BY_CLOCK = ("study:", "forecast:", "profile:study:")
"""How the pairs begin whose wall seconds count: what else runs on the machine would be in them."""

LOOK = 3.0
"""Seconds for which other processes are watched before such a pair."""

QUIET = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TQDM_DISABLE": "1",
}


def main() -> None:
    """Measure what is asked for and not finished; write what is known."""
    asked = _arguments()
    sys.path.insert(0, str(HERE))
    if asked.only == ["agreement"]:
        sys.exit(agreement(asked))
    from harness.catalogue import catalogue, chosen, quick
    from harness.results import Results, write_whole

    if asked.pair:
        known = {pair.name: pair for pair in (quick() if asked.quick else catalogue())}
        for name in asked.pair:
            write_whole(_record_of(known[name]), measure(known[name], asked))
        return
    pairs = chosen(quick() if asked.quick else catalogue(), asked.only)
    if asked.list:
        print("\n".join(pair.name + (f"  ({pair.needs})" if pair.needs else "") for pair in pairs))
        return
    folder = LOGS if asked.quick else HERE
    results = Results(folder / "results.json")
    failed = [] if asked.report else run_all(pairs, results, asked)
    write(results, catalogue() if not asked.quick else quick(), folder)
    sys.exit(f"not measured: {', '.join(failed)}" if failed else 0)


def agreement(asked: argparse.Namespace) -> str | None:
    """Compare scores with lm-eval's; return what is outside the tolerances, None for nothing."""
    os.environ |= QUIET | {"OMP_NUM_THREADS": str(asked.threads)}
    from agreement.agree import agree
    from harness.machine import steady

    steady(asked.threads)
    wrong = agree(asked.data, asked.checkpoints, HERE, asked.threads)
    print(f"wrote {HERE / 'AGREEMENT.md'}")
    return "\n".join(wrong) or None


def run_all(pairs: list[Any], results: Any, asked: argparse.Namespace) -> list[str]:
    """Measure what is not finished; return the names of those that failed."""
    gpu, failed, todo, now = _has_gpu(), [], [], _place()
    for pair in pairs:
        if asked.again or not results.finished(pair.name, pair.setting, now):
            todo += [] if pair.needs and not gpu else [pair]
    print(f"{len(todo)} of {len(pairs)} pairs to measure; logs are in {LOGS}", flush=True)
    while todo:
        group = [pair for pair in todo if _group(pair) == _group(todo[0])]
        if _too_busy(group, asked):
            failed += [pair.name for pair in group]
            todo = [pair for pair in todo if pair not in group]
            continue
        start = time.perf_counter()
        for pair, record in in_child(group, asked):
            took = time.perf_counter() - start
            results.keep(pair.name, record | {"setting": pair.setting, "seconds": round(took, 1)})
            said = record.get("failed") or record.get("refused") or "measured"
            print(f"{pair.name}: {said} ({took:.0f} s)", flush=True)
            failed += [pair.name] if "failed" in record else []
            todo.remove(pair)
            start = time.perf_counter()
    return failed


def _too_busy(group: list[Any], asked: argparse.Namespace) -> bool:
    """Tell whether pairs must wait for a quieter machine; say so in one message."""
    from harness.machine import Load
    from harness.measures import OTHERS

    if not group[0].name.startswith(BY_CLOCK) or asked.loaded or asked.quick:
        return False
    load = Load()
    time.sleep(LOOK)
    others = load.others() or 0.0
    if others <= OTHERS:
        return False
    print(
        f"{', '.join(pair.name for pair in group)}: not measured, as other processes keep "
        f"{others:.1f} cores busy and wall seconds count here; wait for them to end, or measure "
        "all the same with --loaded (make bench LOADED=1)",
        flush=True,
    )
    return True


def in_child(pairs: list[Any], asked: argparse.Namespace) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Measure pairs in one child process; yield each with its record, or with why there is none.

    A pair in which the child dies is the last one; those behind it are left for another child.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    for pair in pairs:
        _record_of(pair).unlink(missing_ok=True)
    threads = str(asked.threads)
    command = [sys.executable, str(HERE / "run.py"), *(f"--pair={pair.name}" for pair in pairs)]
    command += ["--data", str(asked.data), "--checkpoints", str(asked.checkpoints)]
    command += ["--threads", threads, *(["--quick"] if asked.quick else [])]
    environment = os.environ | QUIET | {"OMP_NUM_THREADS": threads}
    log = LOGS / f"{_group(pairs[0])}.log"
    with log.open("w") as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=subprocess.STDOUT)
        try:
            for pair in pairs:
                path = _record_of(pair)
                while child.poll() is None and not path.is_file():
                    time.sleep(0.2)
                if not path.is_file():
                    lines = log.read_text().strip().splitlines() or ["no word"]
                    yield (
                        pair,
                        {"failed": f"{lines[-1][:300]} (see {log.relative_to(HERE.parent)})"},
                    )
                    return
                yield pair, json.loads(path.read_text())
            child.wait()
        finally:
            child.kill()


def measure(pair: Any, asked: argparse.Namespace) -> dict[str, Any]:
    """Measure one pair in this process; return its record."""
    from harness.machine import Load, describe, steady
    from harness.timing import Unequal

    from smalltune.engine.peak import matmul_peak

    device, load = steady(asked.threads), Load()
    record: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "device": device,
        "machine": describe(asked.threads),
        "peak": matmul_peak(device, "bfloat16" if device == "cuda" else "float32"),
    }
    try:
        room = import_module(f"harness.{ROOMS[pair.kind]}")
        record |= room.run_pair(pair.plan, asked.data, asked.checkpoints, device)
    except Unequal as unequal:
        record["refused"] = str(unequal)
    record["load"] = load.record()
    record["peak"] = max([record["peak"], *record.get("peaks", [])])
    return record


def write(results: Any, pairs: list[Any], folder: Path) -> None:
    """Write RESULTS.md and the figure."""
    from harness.figure import draw
    from harness.reasons import read_reasons
    from harness.report import report

    reasons = read_reasons(HERE / "reasons.md")
    (folder / "RESULTS.md").write_text(report(results.pairs, pairs, reasons))
    for path in draw(results.pairs, pairs, folder):
        print(f"wrote {path}")
    print(f"wrote {folder / 'RESULTS.md'}")


def _group(pair: Any) -> str:
    """Return what pairs have in common that run in one process: kind, shape, and the clock."""
    clock = "-by-clock" if pair.name.startswith(BY_CLOCK) else ""
    return f"{pair.kind}-{getattr(pair.plan, 'shape', 'all')}{clock}"


def _record_of(pair: Any) -> Path:
    return LOGS / f"{pair.name.replace(':', '-')}.json"


def _place() -> dict[str, Any]:
    """Return packages and processor: with others a pair is measured again."""
    from harness.machine import describe

    here = describe(1)
    return {"packages": here["packages"], **{k: here["machine"][k] for k in ("cpu", "cores")}}


def _has_gpu() -> bool:
    import torch

    return bool(torch.cuda.is_available())


def _arguments() -> argparse.Namespace:
    shared = HERE.parent.parent / "shared"
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="a few minutes, nothing to publish")
    parser.add_argument("--again", action="store_true", help="measure finished pairs again")
    parser.add_argument("--list", action="store_true", help="print the names of all pairs")
    parser.add_argument("--report", action="store_true", help="measure nothing, only write")
    parser.add_argument("--loaded", action="store_true", help="time by the clock all the same")
    parser.add_argument("--threads", type=int, default=1, help="of each variant [default: 1]")
    parser.add_argument("--data", type=Path, default=shared / "data")
    parser.add_argument("--checkpoints", type=Path, default=shared / "checkpoints")
    parser.add_argument("--pair", action="append", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
