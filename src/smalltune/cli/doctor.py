"""Doctor: what this machine has and lacks for smalltune, and how to get what is missing."""

import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Finding", "examine", "print_findings"]

GIB = 2**30
HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `needed` says that nothing works without it."""

    what: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = False


def examine(store: Path | None = None) -> list[Finding]:
    """Look at everything; the hub is given three seconds to answer."""
    return [
        _python(), *_packages(), _torch(), _gpu(), _latex(), _hub(), _embedded(), _memory(),
        _disk(store),
    ]  # fmt: skip


def print_findings(findings: list[Finding]) -> None:
    """Print a line for each thing, and under it what to do where it is missing."""
    for one in findings:
        mark = "ok" if one.ok else ("MISSING" if one.needed else "no")
        print(f"{mark:8}{one.what}: {one.found}")
        if one.advice and not one.ok:
            print(f"{'':8}-> {one.advice}")


def _python() -> Finding:
    return Finding(
        "Python",
        sys.version_info >= (3, 11),
        platform.python_version(),
        "smalltune needs Python 3.11 or newer",
        needed=True,
    )


def _packages() -> Iterator[Finding]:
    """Yield one finding for the packages that smalltune requires and one for slow starts."""
    try:
        required = importlib.metadata.requires("smalltune") or []
    except importlib.metadata.PackageNotFoundError:
        required = []
    names = [_name(line) for line in required if "extra ==" not in line]
    missing = [name for name in names if not _has(name)]
    found = f"missing: {', '.join(missing)}" if missing else f"all {len(names)} are installed"
    yield Finding("packages", not missing, found, "pip install -e . (or `make setup`)", needed=True)
    if os.environ.get("PYTHONDONTWRITEBYTECODE"):
        yield Finding(
            "bytecode",
            False,
            "PYTHONDONTWRITEBYTECODE is set, so each start compiles the libraries anew",
            "unset PYTHONDONTWRITEBYTECODE",
        )


def _torch() -> Finding:
    try:
        version = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return Finding("PyTorch", False, "not installed", "`make setup`", needed=True)
    return Finding("PyTorch", True, version)


def _gpu() -> Finding:
    advice = "none is needed for small models; with one: `make setup TORCH=cuda`"
    if shutil.which("nvidia-smi") is None:
        return Finding("GPU", False, "none (no nvidia-smi)", advice)
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return Finding("GPU", False, "nvidia-smi does not answer", "is the driver loaded?")
    names = [line.strip() for line in said.stdout.splitlines() if line.strip()]
    if said.returncode or not names:
        return Finding("GPU", False, "nvidia-smi finds none", advice)
    if importlib.metadata.version("torch").endswith("+cpu"):
        return Finding("GPU", False, f"{names[0]}, but PyTorch is the CPU build", advice)
    return Finding("GPU", True, "; ".join(names))


def _latex() -> Finding:
    from smalltune.paper.latex import NO_ENGINE, find_engine

    engine = find_engine()
    if engine is None:
        return Finding("LaTeX", False, "no pdflatex with bibtex", NO_ENGINE)
    return Finding("LaTeX", True, ", ".join(engine.values()))


def _hub() -> Finding:
    url = os.environ.get("HF_ENDPOINT", HUB)
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        advice = "unset HF_HUB_OFFLINE to lock and fetch hub models"
        return Finding("hub", False, "HF_HUB_OFFLINE is set: only cached models", advice)
    advice = "embedded and local models need no hub; is there a proxy, or a mirror in HF_ENDPOINT?"
    try:
        urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=3)
    except urllib.error.HTTPError:
        pass  # it answers, and that is all that is asked
    except (OSError, ValueError) as error:
        return Finding("hub", False, f"{url} does not answer ({error})", advice)
    token = "with HF_TOKEN" if os.environ.get("HF_TOKEN") else "no HF_TOKEN (gated models need it)"
    return Finding("hub", True, f"{url} answers, {token}")


def _embedded() -> Finding:
    from smalltune.models.sources import embedded_folder

    models = sorted(p.parent.name for p in embedded_folder().glob("models/*/config.json"))
    advice = "the package is not whole: install it again"
    return Finding("embedded models", bool(models), ", ".join(models) or "none", advice)


def _memory() -> Finding:
    import psutil

    memory, cores = psutil.virtual_memory(), os.cpu_count()
    found = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free, {cores} cores"
    return Finding("memory", memory.available > GIB, found, "a worker needs about 0.7 GiB")


def _disk(store: Path | None) -> Finding:
    folder = (store or Path(os.environ.get("SMALLTUNE_STORE", "."))).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    advice = "name another place with --store or SMALLTUNE_STORE"
    writable = os.access(folder, os.W_OK)
    found = f"{free / GIB:.1f} GiB free in {folder}" + ("" if writable else ", not writable")
    return Finding("disk", free > GIB and writable, found, advice)


def _name(requirement: str) -> str:
    import re

    return re.split(r"[\s<>=!~;\[(]", requirement, maxsplit=1)[0]


def _has(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
