"""What only plans or tells starts without the libraries that train."""

import json
import os
import pkgutil
import subprocess
import sys
import time

import pytest

import smalltune

HEAVY = {
    "torch", "transformers", "peft", "sklearn", "scipy", "matplotlib", "pandas", "pyarrow",
    "datasets", "huggingface_hub",
}  # fmt: skip
# These rooms hold PyTorch modules; nothing above them may import them while it is imported itself.
MAKERS = ("smalltune.engine", "smalltune.models")


def run_python(code: str) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def light_modules() -> list[str]:
    """Return every module of the package outside the rooms that hold PyTorch modules."""
    found = (module.name for module in pkgutil.walk_packages(smalltune.__path__, "smalltune."))
    return sorted(
        name for name in found if not name.startswith(MAKERS) and name != "smalltune.__main__"
    )


def test_importing_smalltune_or_any_room_that_plans_or_tells_loads_no_heavy_library():
    names = ["smalltune", *light_modules()]
    code = f"""
import importlib, json, sys
heavy, guilty = {HEAVY!r}, {{}}
for name in {names!r}:
    before = heavy & set(sys.modules)
    importlib.import_module(name)
    if new := sorted((heavy & set(sys.modules)) - before):
        guilty[name] = new
print(json.dumps(guilty))
"""
    assert json.loads(run_python(code).splitlines()[-1]) == {}


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["paper", "--help"]])
def test_help_loads_no_heavy_library(arguments):
    code = f"""
import json, sys
from smalltune.cli import main
sys.argv = ["smalltune", *{arguments!r}]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print(json.dumps(sorted({HEAVY!r} & set(sys.modules))))
"""
    assert json.loads(run_python(code).splitlines()[-1]) == []


def test_help_takes_less_than_a_second():
    """Best of three, because a busy machine says nothing about the program."""

    def seconds() -> float:
        start = time.perf_counter()
        run_python("import smalltune.cli, sys; sys.argv[1:] = ['--help']; smalltune.cli.main()")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1.0
