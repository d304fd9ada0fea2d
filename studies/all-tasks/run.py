"""Run this study from its data to its bundle: `.venv/bin/python studies/all-tasks/run.py`.

Two of its data sets are asked for by their names on the hub, and are stand-ins with those data
sets' columns. So their tables are made (tables.py), a hub on loopback serves them, and the commands
are typed with `HF_ENDPOINT` set to it: lock, run, results, paper, bundle. Everything else lies in
../shared. Called again it goes on where it was; finished work is not computed twice.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

from hub.server import Hub  # noqa: E402
from tables import make  # noqa: E402

VERBS = ("lock", "run", "results", "paper", "bundle")


def main() -> None:
    """Type the verbs, one after the other; the first that fails ends it."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("verbs", nargs="*", default=VERBS, help=f"default: {' '.join(VERBS)}")
    options.add_argument("--store", help="where finished work is kept")
    options.add_argument("--workers", default="2", help="processes that train and ask (default: 2)")
    given = options.parse_args()
    store = ["--store", given.store] if given.store else []
    workers = {"run": ["--workers", given.workers]}
    with Hub(make(HERE / "made")) as hub:
        variables = {**os.environ, **hub.environment(HERE / "made" / "hf")}
        for verb in given.verbs:
            begin = time.monotonic()
            command = [verb, str(HERE), *store, *workers.get(verb, [])]
            done = subprocess.run(
                [sys.executable, "-m", "smalltune", *command], env=variables, check=False
            )
            print(f"{verb}: {time.monotonic() - begin:.0f} s", file=sys.stderr, flush=True)
            if done.returncode:
                sys.exit(done.returncode)


if __name__ == "__main__":
    main()
