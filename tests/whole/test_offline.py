"""A study whose sources are all local asks no network: nothing is even tried."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent
STUDY = HERE.parent.parent / "studies" / "sst2"
SST2 = HERE.parent.parent.parent / "shared" / "data" / "glue_sst2"


@pytest.fixture
def offline(tmp_path):
    """Run a command without network; return what it printed. `attempts` tells what it tried."""
    attempts = tmp_path / "attempts.txt"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")
    }
    environment |= {"PYTHONPATH": str(HERE / "offline"), "ATTEMPTS": str(attempts)}
    environment["HF_HOME"] = str(tmp_path / "empty-cache")

    def run(*command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    run.attempts = lambda: attempts.read_text().split() if attempts.exists() else []
    return run


def test_the_guard_lets_loopback_through_and_notes_everything_else(offline):
    code = (
        "import socket\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "try: socket.create_connection(('192.0.2.1', 80), timeout=1)\n"
        "except OSError as error: print(error)\n"
    )
    done = offline("-c", code)
    assert "this test has no network: 192.0.2.1" in done.stdout, done.stderr
    assert offline.attempts() == ["192.0.2.1"]


@pytest.mark.skipif(not SST2.is_dir(), reason="SST-2's files are not at ../shared/data")
def test_the_study_of_sst2_runs_to_its_archive_without_a_network(offline, tmp_path):
    study = tmp_path / "studies" / "sst2"
    shutil.copytree(STUDY / "text", study / "text")
    content = yaml.safe_load((STUDY / "study.yaml").read_text())
    content["tasks"]["sst2"] |= {"source": str(SST2), "limit": {"train": 32}}
    content |= {"training": content["training"] | {"steps": 2}, "seeds": 2}
    (study / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    workers = ("--workers", "1")
    for verb, *more in (("run", *workers), ("results",), ("paper",), ("bundle",)):
        done = offline("-m", "smalltune", verb, str(study), *more)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (study / "submission.zip").stat().st_size > 10_000
    assert offline.attempts() == []
