"""The files that name packages, versions and data agree with one another."""

import re
import tomllib
from pathlib import Path

import smalltune

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def normal(name: str) -> str:
    """Return a package name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    """Return name to version of every pinned line."""
    lines = [line for line in (ROOT / file).read_text().splitlines() if not line.startswith("#")]
    return {normal(name): version for name, version in (line.split("==") for line in lines)}


def direct(requirements: list[str]) -> set[str]:
    """Return the names that requirement lines start with."""
    return {normal(re.split(r"[<>=!~;\[ ]", line, maxsplit=1)[0]) for line in requirements}


def test_requirements_are_the_direct_packages_pinned_as_in_the_constraints():
    constraints, requirements = pins("constraints.txt"), pins("requirements.txt")
    assert set(requirements) == direct(PROJECT["project"]["dependencies"])
    assert requirements.items() <= constraints.items()


def test_constraints_pin_the_tools_of_development_and_every_extra_too():
    for packages in PROJECT["project"]["optional-dependencies"].values():
        assert direct(packages) <= set(pins("constraints.txt"))


def test_pins_hold_no_local_build_and_no_address():
    for file in ("constraints.txt", "requirements.txt"):
        text = (ROOT / file).read_text()
        assert "+" not in text and "://" not in text and "-index" not in text


def test_the_citation_names_the_version_of_the_package():
    version = PROJECT["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()
    assert smalltune.__version__ == version


def test_package_data_covers_every_kind_of_file_in_the_package():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["smalltune"]
    package = ROOT / "src" / "smalltune"
    files = [path for path in package.rglob("*") if path.is_file()]
    missing = [
        str(path.relative_to(package))
        for path in files
        if path.suffix not in {".py", ".pyc"}
        and not any(path.match(pattern) for pattern in patterns)
    ]
    assert missing == []
