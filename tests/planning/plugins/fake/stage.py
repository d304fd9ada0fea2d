import os
import signal
import time

from smalltune.core.errors import DataError

__all__ = ["stage"]


def stage(spec, inputs, out, bench):
    """Do what the spec says: fail, die, wait, print; leave a file."""
    if spec.get("wait"):
        print("waiting", flush=True)
        bench.progress({"event": "step", "step": 1, "steps": 2, "loss": 0.5})
        time.sleep(spec["wait"])
    if spec.get("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if spec.get("wrong"):
        raise DataError("rows.csv: the file is upside down")
    if spec.get("bug"):
        raise KeyError("nobody thought of this")
    (out / "said.txt").write_text(f"{os.getpid()}")
