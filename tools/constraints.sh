#!/usr/bin/env bash
# Write constraints.txt (every package, pinned) and requirements.txt (the direct ones, pinned alike)
# from pyproject.toml, for Linux and Python 3.11 with the CUDA packages of torch: other systems need
# fewer packages, and a constraint binds only what is installed. Pins that still fit are kept;
# delete a line first to let that package move.
set -euo pipefail
cd "$(dirname "$0")/.."

.venv/bin/uv pip compile pyproject.toml --extra dev --extra 4bit \
    --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
    --no-annotate --no-emit-index-url --custom-compile-command "make constraints" \
    --quiet --output-file constraints.txt >/dev/null

.venv/bin/python - <<'PYTHON'
"""Take the direct requirements of the package out of the full list."""
import re
import tomllib
from pathlib import Path


def name_of(requirement: str) -> str:
    """Return the normalised name that a requirement line starts with."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", requirement, maxsplit=1)[0]).lower()


direct = tomllib.loads(Path("pyproject.toml").read_text())["project"]["dependencies"]
wanted = {name_of(line) for line in direct}
pins = [line for line in Path("constraints.txt").read_text().splitlines() if line[:1].isalnum()]
chosen = [line for line in pins if name_of(line) in wanted]
head = "# The packages that smalltune imports, as tested. Written by: make constraints"
Path("requirements.txt").write_text("\n".join([head, *chosen]) + "\n")
PYTHON
