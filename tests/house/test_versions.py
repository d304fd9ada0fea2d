"""An edit that can change an answer forces a choice: raise the version, or say that it cannot.

`versions.json` holds, for every file whose code is part of some job's answer, the version it
states and the digest of its code without docstrings and comments. After an edit that changes no
answer, or after raising the version, `python tests/house/test_versions.py` writes it anew.
"""

import ast
import hashlib
import importlib
import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINS = Path(__file__).with_name("versions.json")
ROOMS = ("stages", "methods", "tasks", "kinds", "metrics", "measures", "engine", "data", "models")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's syntax tree without its docstrings."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            node.body = body[1:] or [ast.Pass()]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def version(room: str, name: str) -> int:
    """Return the version that a file states; data, models and engine share the engine's."""
    if room in ("engine", "data", "models"):
        return importlib.import_module("smalltune.engine").VERSION
    module = importlib.import_module(f"smalltune.{room}.{name}".removesuffix(".__init__"))
    if room in ("stages", "measures"):
        return getattr(module, "VERSION", 1)
    public = [getattr(module, n) for n in getattr(module, "__all__", [])]
    return max((getattr(each, "version", 1) for each in public), default=1)


def found() -> dict[str, list]:
    """Return file to version and digest for every file of the rooms that make numbers."""
    made = {}
    for room in ROOMS:
        for path in sorted((ROOT / "src" / "smalltune" / room).glob("*.py")):
            made[f"{room}/{path.name}"] = [version(room, path.stem), digest(path)]
    return made


def test_changed_code_has_a_new_version_or_a_new_pin():
    pinned, now = json.loads(PINS.read_text()), found()
    changed = sorted(
        name for name in pinned.keys() | now.keys() if pinned.get(name) != now.get(name)
    )
    assert not changed, (
        f"{', '.join(changed)}: if an answer can change, raise the version in the file (the "
        "engine's stands in engine/__init__.py); then run `python tests/house/test_versions.py`"
    )


def test_a_changed_line_changes_the_digest_and_a_docstring_does_not(tmp_path):
    texts = ['"""A."""\nx = 1  # one\n', '"""B."""\nx = 1\n', '"""A."""\nx = 2\n']
    digests = []
    for text in texts:
        (tmp_path / "a.py").write_text(text)
        digests.append(digest(tmp_path / "a.py"))
    assert digests[0] == digests[1] != digests[2]


if __name__ == "__main__":
    PINS.write_text(json.dumps(found(), indent=1) + "\n")
