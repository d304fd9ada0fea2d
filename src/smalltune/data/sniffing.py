"""Sniffing: what a file really is, by its first bytes, when that is not what its name says."""

import zipfile
from pathlib import Path
from typing import Final

from smalltune.core.errors import DataError
from smalltune.data.decoding import PACKED

__all__ = ["FORMATS", "plain_text", "table_format"]

FORMATS = (".csv", ".tsv", ".jsonl", ".json", ".parquet")

_SIGNS: Final = (
    (b"%PDF-", "a PDF", "a table has to be exported from its source, not printed"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls)", "save it there as `CSV UTF-8`"),
    (b"SQLite format 3", "an SQLite database", "export its table as CSV"),
    (b"ARROW1", "an Arrow file", "write it as Parquet"),
    (b"version https://git-lfs", "a Git LFS pointer, not the data", "fetch them: git lfs pull"),
)
_PAGES: Final = (b"<!doctype html", b"<html", b"<?xml", b"<head")
_PACKS: Final = {
    b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"BZh": ".bz2", b"\xfd7zXZ": ".xz",
}  # fmt: skip


def table_format(path: Path) -> str:
    """Return the format of a table, one of FORMATS, by the name that its content bears out.

    Raises DataError that says what the file is instead, and what to do.
    """
    start = _start(path)
    wrong = _foreign(path, start)
    if wrong:
        raise DataError(f"{path}: {wrong}")
    suffixes = [s.lower() for s in path.suffixes if s.lower() not in PACKED]
    kind = suffixes[-1] if suffixes else ""
    if kind not in FORMATS:
        raise DataError(
            f"{path}: of what format? The name must end in one of {', '.join(FORMATS)} (or .txt, "
            "for running text)"
        )
    wrong = _packed(path, start) or _mistaken(path, start, kind)
    if wrong:
        raise DataError(f"{path}: {wrong}")
    return kind


def plain_text(path: Path) -> None:
    """Raise DataError, saying what it is instead, where a file named `.txt` is no text.

    A web page is one: text of any sort may be learned from.
    """
    start = _start(path)
    page = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES)
    wrong = _packed(path, start) or ("" if page else _foreign(path, start))
    if wrong:
        raise DataError(f"{path}: {wrong}")


def _start(path: Path) -> bytes:
    """Return the first bytes of a file, or raise DataError when there is none to be read."""
    try:
        with path.open("rb") as file:
            return file.read(512)
    except IsADirectoryError:
        raise DataError(f"{path}: a folder: give a file in it") from None
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except PermissionError:
        raise DataError(f"{path}: no permission to read it: ask its owner, or chmod +r") from None


def _foreign(path: Path, start: bytes) -> str:
    """Return what a file is that no name makes a table, and the remedy."""
    for sign, what, remedy in _SIGNS:
        if start.startswith(sign):
            return f"{what}: {remedy}"
    if start.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        return "a web page, not a table: was it fetched without logging in? Fetch it again"
    if start.startswith(b"PK\x03\x04"):
        return _zipped(path)
    return ""


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
    except zipfile.BadZipFile:
        return "a damaged ZIP archive: fetch it again"
    if "[Content_Types].xml" in names:
        return "an Excel workbook (or another Office file): save it there as `CSV UTF-8`"
    inside = ", ".join(names[:3]) + (" ..." if names[3:] else "")
    return f"a ZIP archive: unpack it and give a table that is in it ({inside or 'it is empty'})"


def _packed(path: Path, start: bytes) -> str:
    """Return what is wrong when the name's last suffix and the packing differ."""
    named = path.suffix.lower() if path.suffix.lower() in PACKED else ""
    really = next((suffix for sign, suffix in _PACKS.items() if start.startswith(sign)), "")
    bare = path.with_suffix("").name if named else path.name
    if named == really or (named and not start):
        return ""
    if really:
        return f"packed with {PACKED[really]}: name it {bare}{really}"
    return f"not packed with {PACKED[named]}, as its name says: name it {bare}"


def _mistaken(path: Path, start: bytes, kind: str) -> str:
    """Return what is wrong when one kind of table bears the name of another."""
    if path.suffix.lower() in PACKED:
        return (
            "Parquet is packed within already: unpack this file and name it .parquet"
            if kind == ".parquet"
            else ""
        )
    stem = path.with_suffix("").name
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    json = ".jsonl" if text.startswith(b"{") else ".json" if text.startswith(b"[") else ""
    if start.startswith(b"PAR1"):
        return "" if kind == ".parquet" else f"a Parquet file: name it {stem}.parquet"
    if kind == ".parquet":
        if not start:
            return "empty: a Parquet file has at least a header"
        if b"\0" in start:
            return "not a Parquet file: write it again"
        return f"text, not Parquet: name it {stem}{json or '.csv'}"
    if kind in (".csv", ".tsv") and text.startswith((b'{"', b"[{", b"[\n", b"[\r\n")):
        return f"JSON, not {kind[1:].upper()}: name it {stem}{json}"
    return ""
