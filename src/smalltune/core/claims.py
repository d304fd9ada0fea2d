"""Claims: a lease on a job, so that two runs or two machines do not do one job twice.

A claim is a file that appears only if nobody was first; its owner touches it every few seconds, all
of a process's claims from one thread. It is stale when its owner is a dead process of this machine,
or when nobody touched it for `LEASE` seconds.
"""

import contextlib
import fcntl
import functools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from smalltune.core.store import Store, disk_errors

__all__ = ["HEARTBEAT", "LEASE", "Claim", "claim"]

HEARTBEAT = 2.0
LEASE = 30.0


class Claim:
    """A lease that is kept alive until it is released. Use it with `with`."""

    def __init__(self, path: Path):
        """Keep the claim file at `path` alive."""
        self.path = path
        PULSE.keep(path)

    def release(self) -> None:
        """Give the job back."""
        PULSE.leave(self.path)
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> "Claim":
        """Return the claim."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the job back."""
        self.release()


class _Pulse:
    """Touches the claim files of this process, from one thread that lives while there are any."""

    def __init__(self) -> None:
        self._paths: set[Path] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, path: Path) -> None:
        """Touch the file from now on."""
        with self._lock:
            self._paths.add(path)
            if self._thread is None or not self._thread.is_alive():  # a fork copies no thread
                self._thread = threading.Thread(target=self._beat, daemon=True)
                self._thread.start()

    def leave(self, path: Path) -> None:
        """Touch the file no more, whatever happens to it."""
        with self._lock:
            self._paths.discard(path)

    def _beat(self) -> None:
        while True:
            time.sleep(HEARTBEAT)
            with self._lock:
                for path in list(self._paths):
                    try:
                        os.utime(path)
                    except OSError:  # the disk went away or the claim was taken
                        self._paths.discard(path)
                if not self._paths:
                    self._thread = None
                    return


PULSE = _Pulse()


def claim(store: Store, key: str) -> Claim | None:
    """Return a lease on the job, or None when another live process holds it."""
    path = store.root / "claims" / f"{key}.json"
    if _create(path):
        return Claim(path)
    if not _stale(path):
        return None
    with _alone(path.parent):  # of several that see it stale, one after the other looks again
        if not _stale(path):
            return None
        path.unlink(missing_ok=True)
        return Claim(path) if _create(path) else None


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".takeover").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.cache
def _owner(pid: int) -> str:
    return json.dumps({"host": socket.gethostname(), "pid": pid, "born": _born(pid)})


def _create(path: Path) -> bool:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    with disk_errors(path):
        draft.write_text(_owner(os.getpid()))
        try:
            os.link(draft, path)  # appears with its content, and only if nobody was first
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
    return True


def _stale(path: Path) -> bool:
    try:
        owner = json.loads(path.read_text())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError):
        return False  # it has just been released or is being replaced: ask again later
    if owner["host"] == socket.gethostname() and owner["born"] is not None:
        return bool(_born(owner["pid"]) != owner["born"])
    return age > LEASE


def _born(pid: int) -> str | None:
    """Return when a process of this machine started (kernel ticks), None if it does not run."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
