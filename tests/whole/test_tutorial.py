"""The tutorial on own data is run as it stands: files, changes, commands and their output."""

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from smalltune.planning.reading import read_study

PAGE = Path(__file__).parents[2] / "docs" / "own-data.md"
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def changed(text: str, diff: str) -> str:
    """Return a text after the lines of a diff: what is taken out must be there, once."""
    at = len(text)
    for line in diff.splitlines():
        body = line[1:] + "\n"
        if line.startswith("-"):
            assert len(re.findall(f"^{re.escape(body)}", text, re.MULTILINE)) == 1, line
            at = text.index("\n" + body) + 1
            text = text[:at] + text[at + len(body) :]
        else:
            text = text[:at] + body + text[at:]
            at += len(body)
    return text


def commands(block: str) -> list[tuple[str, list[str]]]:
    """Return each command with the lines that the page shows as its output."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def answered(command: list[str], answer: str) -> tuple[int, str]:
    """Run a command on a terminal, type the answer; return its exit code and what was seen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer.encode() + b"\n")
    seen = b""
    try:
        while part := os.read(ours, 4096):
            seen += part
    except OSError:  # the terminal is gone when the command has ended
        pass
    os.close(ours)
    return process.wait(timeout=60), seen.decode().replace("\r", "")


def shown(line: str, *, numbers: bool) -> re.Pattern[str]:
    """Return the pattern of a line: `...` is anything, blanks are as wide as they like.

    Where `numbers` are measured, any number stands for a number.
    """
    pattern = r"\s+".join(re.escape(word) for word in line.split()).replace(r"\.\.\.", ".*")
    if numbers:
        pattern = re.sub(r"(?<![\w*])(\\-)?\d+(\\\.\d+)?", r"-?[\\d.]+", pattern)
    return re.compile(rf"\s*{pattern}\s*")


def check(expected: list[str], seen: str, *, numbers: bool) -> None:
    """Hold that the lines of the page occur in what was seen, in their order."""
    rest = iter(seen.splitlines())
    for line in expected:
        if line.strip() in ("", "..."):
            continue
        if "paper.pdf" in line and not shutil.which("pdflatex"):
            continue
        pattern = shown(line, numbers=numbers)
        assert any(pattern.fullmatch(each) for each in rest), f"no line {line!r} in:\n{seen}"


def test_the_tutorial_on_own_data_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.delenv("SMALLTUNE_STORE", raising=False)
    ran = []
    for kind, name, text in BLOCK.findall(PAGE.read_text()):
        if kind == "python":
            Path(name).write_text(text)
        elif kind == "yaml" and not Path(name).exists():
            Path(name).parent.mkdir(parents=True)
            Path(name).write_text(text)
        elif kind == "yaml":
            assert text in Path(name).read_text()
        elif kind == "diff":
            Path(name).write_text(changed(Path(name).read_text(), text))
        for command, lines in commands(text) if kind == "console" else ():
            words = shlex.split(command)
            prompt = next((line for line in lines if "[y/N" in line), None)
            if prompt is not None:
                code, seen = answered(words, prompt.rpartition("] ")[2])
                lines = [
                    line.replace(prompt, prompt.rpartition("] ")[0] + "]...") for line in lines
                ]
                seen = seen.replace("] note", "]\nnote")
            else:
                done = subprocess.run(
                    words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
                )
                code, seen = done.returncode, done.stdout
            assert code == 0, f"$ {command}\n{seen}"
            check(lines, seen, numbers="results" in words)
            ran.append(words[1] if words[0] == "smalltune" else words[0])
    assert {"new", "plan", "run", "results", "paper", "bundle", "export"} <= set(ran)
    assert Path("lora-tickets/adapter_model.safetensors").is_file()
    tasks = read_study(Path("studies/kinds/study.yaml")).tasks
    assert len({task.kind for task in tasks}) == len(tasks) == 4
    grown = read_study(Path("studies/tickets/study.yaml"))
    assert [model.source for model in grown.models] == ["hub:Qwen/Qwen2.5-0.5B"]
    assert len(grown.seeds) == 6


@pytest.mark.parametrize("line", ["7 trials: 7 missing", "7 trials: ... missing"])
def test_a_line_that_is_not_shown_fails_the_tutorial(line):
    check([line], "x\n7 trials: 7 missing\n", numbers=False)
    with pytest.raises(AssertionError, match="no line"):
        check([line], "8 trials: 7 missing\n", numbers=False)
