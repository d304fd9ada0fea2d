"""LaTeX: find pdflatex, run it safely, and read its log, because it calls much a success.

pdflatex leaves with exit code 0 when citations are undefined or text runs out of its column, so
the log decides. It runs in a copy of the folder, without shell escape, without access to files
outside, under a time limit, and with a fixed date, so that the same sources give the same bytes.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from smalltune.core.errors import LatexError

__all__ = ["NO_ENGINE", "Compiled", "compile_pdf", "find_engine", "read_log"]

PLACES = ("/Library/TeX/texbin", "~/.TinyTeX/bin/*", "~/Library/TinyTeX/bin/*", "~/bin")
NO_ENGINE = (
    "the LaTeX sources are written, but there is no PDF: no pdflatex with bibtex was found. "
    "Debian or Ubuntu: sudo apt-get install texlive-latex-recommended texlive-latex-extra "
    "texlive-fonts-recommended; macOS: brew install --cask mactex-no-gui; any system: TinyTeX "
    "(https://yihui.org/tinytex). Then call `smalltune paper` again; or upload the folder to "
    "Overleaf as it is"
)
SAFE = {
    "SOURCE_DATE_EPOCH": "0",
    "FORCE_SOURCE_DATE": "1",
    "TZ": "UTC",
    "max_print_line": "10000",
    "openin_any": "p",
    "openout_any": "p",
    "shell_escape": "f",
    "MKTEXPK": "0",
}
COMMAND = ("-interaction=nonstopmode", "-halt-on-error", "-file-line-error", "-no-shell-escape")
WIDEST = 10.0  # points that a line may stick out
PASSES = 5
ERROR = "LaTeX error"


@dataclass(frozen=True)
class Compiled:
    """What LaTeX made: the PDF and its number of pages, or None and why there is none."""

    pdf: Path | None
    pages: int
    message: str


def find_engine() -> dict[str, str] | None:
    """Return the paths of pdflatex and bibtex, or None when one of them is missing."""
    folders = [str(f) for p in PLACES for f in Path("/").glob(str(Path(p).expanduser())[1:])]
    path = os.pathsep.join([os.environ.get("PATH", ""), *sorted(folders)])
    found = {name: shutil.which(name, path=path) for name in ("pdflatex", "bibtex")}
    return {k: v for k, v in found.items() if v} if all(found.values()) else None


def compile_pdf(folder: Path, *, main: str = "paper", timeout: float = 180) -> Compiled:
    """Compile `main`.tex of a folder; put the PDF and the bibliography's .bbl beside it.

    Raises LatexError with every problem, each with its file and line, and leaves the log in the
    folder: errors, undefined citations and references, missing or bitmap fonts, boxes that stick
    out by more than 10 points. Without an engine there is no error; `message` says what to do.
    """
    for name in (f"{main}.pdf", f"{main}.log"):
        (folder / name).unlink(missing_ok=True)
    engine = find_engine()
    if engine is None:
        return Compiled(None, 0, NO_ENGINE)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary) / "paper"
        shutil.copytree(folder, work)
        problems = _passes(engine, work, main, timeout)
        log = _read(work / f"{main}.log")
        problems = list(dict.fromkeys([*problems, *read_log(log)]))
        pdf = work / f"{main}.pdf"
        if not problems and pdf.is_file():
            problems = _fonts(pdf)
        if problems or not pdf.is_file():
            (folder / f"{main}.log").write_text(log, encoding="utf-8")
            said = "\n  ".join(problems or ["pdflatex wrote no PDF"])
            raise LatexError(f"{folder / main}.tex does not compile cleanly:\n  {said}")
        for name in (f"{main}.pdf", f"{main}.bbl"):
            shutil.copyfile(work / name, folder / name)
    pages = re.search(r"Output written on .*?\((\d+) page", log, re.DOTALL)
    return Compiled(folder / f"{main}.pdf", int(pages[1]) if pages else 0, "")


def _passes(engine: dict[str, str], work: Path, main: str, timeout: float) -> list[str]:
    """Run LaTeX until the auxiliary file stands still; return what bibtex complained about."""
    problems: list[str] = []
    before = ""
    for attempt in range(PASSES):
        code = _run([engine["pdflatex"], *COMMAND, main], work, timeout)
        if code:
            return []  # the log holds the error
        if attempt == 0:
            _run([engine["bibtex"], main], work, timeout)
            said = _read(work / f"{main}.blg")
            lines = re.findall(r"^(?:Warning--I didn't find.*|.*---line \d+ of .*)$", said, re.M)
            problems = [f"references: {line}" for line in lines]
        now = _read(work / f"{main}.aux")
        if attempt > 1 and now == before:
            break
        before = now
    return problems


def _run(command: list[str], folder: Path, timeout: float) -> int:
    """Run a program in its own process group; raises LatexError when the time is over."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **SAFE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        name = Path(command[0]).name
        raise LatexError(f"{name} did not end within {timeout:g} s in {folder}") from None


PROBLEMS = (
    (r"^(\S+?\.\w+):(\d+): (?! ==>)(.+)$", "error"),
    (r"Citation [`'](.+?)' .*undefined on input line (\d+)", "citation {0!r} is undefined"),
    (r"Reference [`'](.+?)' .*undefined on input line (\d+)", "reference {0!r} is undefined"),
    (r"^LaTeX Warning: (Label [`'].+?' multiply defined)", "{0}"),
    (r"^LaTeX Font Warning: (Font shape .+?) (?:undefined|in size .+? not available)", "no {0}"),
    (r"^Missing character: (There is no .+? in font .+?)!", "missing character: {0}"),
    (r"^LaTeX Warning: (Float too large for page by .+?) on", "{0}"),
    (r"(\S+\.\d+pk)>", "bitmap font {0}: load a Type 1 font instead"),
    (r"pdfTeX (?:warning|error): .*?(Font .+ not found.*)", "{0}: load a Type 1 font instead"),
)


def read_log(log: str) -> list[str]:
    """Return the problems that a LaTeX log tells of, with `file:line` where it names them."""
    found: list[str] = []
    stack: list[str] = []
    for line in log.splitlines():
        where = next((name for name in reversed(stack) if name), "paper.tex")
        for pattern, said in PROBLEMS:
            for match in re.finditer(pattern, line):
                found.append(_locate(where, match, said))
        found += _overfull(where, line)
        _follow(stack, line)
    errors = [line for line in found if f": {ERROR}: " in line]
    return errors or found  # after an error LaTeX stops, and everything else follows from that


def _locate(where: str, match: re.Match[str], said: str) -> str:
    groups = match.groups()
    if said == "error":
        return f"{groups[0].removeprefix('./')}:{groups[1]}: {ERROR}: {groups[2]}"
    line = f":{groups[1]}" if len(groups) > 1 else ""
    return f"{where}{line}: {said.format(*groups)}"


def _overfull(where: str, line: str) -> list[str]:
    match = re.match(r"Overfull \\([hv]box) \(([\d.]+)pt too (?:wide|high)\)(.*)", line)
    if not match or float(match[2]) <= WIDEST:
        return []
    place = re.search(r"lines? (\d+)", match[3])
    line_number = f":{place[1]}" if place else ""
    return [f"{where}{line_number}: overfull {match[1]}, {match[2]} pt too much{match[3]}"]


def _follow(stack: list[str], line: str) -> None:
    """Keep track of the file that TeX reads: `(file` opens one, `)` closes it."""
    for match in re.finditer(r"\((?:(\.?/?[\w./-]+\.\w{2,4})(?=[\s()]|$))?|\)", line):
        if match[0] == ")":
            if stack:
                stack.pop()
        else:
            stack.append((match[1] or "").removeprefix("./") if match[1] else "")


def _fonts(pdf: Path) -> list[str]:
    """Return which fonts are bitmaps or not embedded, where pdffonts is there to tell."""
    tool = shutil.which("pdffonts")
    if tool is None:
        return []
    done = subprocess.run([tool, str(pdf)], capture_output=True, text=True, check=False)
    problems = []
    for line in done.stdout.splitlines()[2:]:
        if " Type 3 " in line:
            problems.append(f"bitmap font {line.split()[0]}: use Type 1 or TrueType")
        elif re.search(r"\s(no)\s+(yes|no)\s+(yes|no)\s+\d+\s+\d+$", line):
            problems.append(f"font {line.split()[0]} is not embedded")
    return problems


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
