"""What preparing costs: 120,000 rows of AG News's length, split, compared and tokenised.

    .venv/bin/python benchmarks/prepare.py [--rows 120000] [--data ../shared/data/ag_news]

Repeats the rows of `test.parquet` with one word in four drawn anew (in a process of its own) until
there are `--rows`, and runs the stages `prepare` and `tokens` with the embedded base's tokeniser
in this one process, on a store of its own. Peak memory is the kernel's high-water mark and holds
the imports. A second study on the same data and tokeniser must find both stages done.
"""

import argparse
import random
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

TARGET = "under 60 s and 1,000 MB for 120,000 rows"
STUDY = """
name: {name}
title: Preparing
questions: ["What does preparing cost?"]
models: {{micro-llama: {{}}}}
tasks:
  ag_news: {{files: {{train: train.parquet, test: test.parquet}}}}
methods: {{{method}: {{}}}}
seeds: 1
"""


def make(source: Path, folder: Path, rows: int) -> None:
    """Write train.parquet with `rows` rows, and test.parquet as it is."""
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(source / "test.parquet")
    texts, labels = table["text"].to_pylist(), table["label"].to_pylist()
    pool = [word for text in texts for word in text.split()]
    rng = random.Random(0)
    made = []
    for index in range(rows):
        words = texts[index % len(texts)].split(" ")
        for place in rng.sample(range(len(words)), len(words) // 4):
            words[place] = rng.choice(pool)
        made.append(" ".join(words))
    repeated = [labels[index % len(labels)] for index in range(rows)]
    train = pyarrow.table({"text": made, "label": repeated})
    pyarrow.parquet.write_table(train, folder / "train.parquet", compression="zstd")
    pyarrow.parquet.write_table(table, folder / "test.parquet", compression="zstd")


def run(folder: Path, name: str, method: str) -> list[tuple[str, float, float, float]]:
    """Run what is missing of prepare and tokens; return stage, seconds, CPU and peak MB."""
    from smalltune.api.study import load
    from smalltune.stages import Bench, execute

    place = folder / name
    place.mkdir()
    for data in ("train", "test"):
        (place / f"{data}.parquet").symlink_to(folder / f"{data}.parquet")
    (place / "study.yaml").write_text(STUDY.format(name=name, method=method))
    study, bench, done = load(place, store=folder / "store"), Bench(), []
    seen: set[str] = set()
    for trial in study.plan().trials:
        for job in (j for score in trial.evaluations.values() for j in score.walk(seen)):
            if job.stage not in ("prepare", "tokens") or study.store.has(job.key):
                continue
            start = time.perf_counter()
            execute(job, study.store, bench)
            seconds = time.perf_counter() - start
            cost = study.store.provenance(job.key)
            peak = cost["peak_memory_bytes"] / 1e6
            done.append((job.stage, seconds, cost["cpu_seconds"], peak))
    return done


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=120_000)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/ag_news"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        making = get_context("spawn").Process(target=make, args=(asked.data, folder, asked.rows))
        making.start()
        making.join()
        first = run(folder, "first", "full")
        second = run(folder, "second", "lora")
    print(f"{'stage':<10}{'seconds':>10}{'CPU s':>10}{'rows/s':>10}{'peak MB':>10}")
    _, seconds, cpu, peak = zip(*first, strict=True)
    for stage, wall, busy, most in [*first, ("both", sum(seconds), sum(cpu), max(peak))]:
        print(f"{stage:<10}{wall:>10.1f}{busy:>10.1f}{asked.rows / wall:>10,.0f}{most:>10,.0f}")
    print(f"aim: {TARGET}")
    print(f"a second study on the same data and tokeniser runs {len(second)} of these stages")


if __name__ == "__main__":
    main()
