"""Decoding: the lines of a text file, plain or compressed, in whichever Unicode its mark says."""

import bz2
import contextlib
import gzip
import io
import lzma
import shlex
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from smalltune.core.errors import DataError

__all__ = ["PACKED", "first_text", "numbered_lines", "open_text"]

PACKED = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}

_OPENERS: dict[str, Any] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


@contextlib.contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """Open a file as text with its line ends as they are; one of PACKED is unpacked.

    A byte order mark says which Unicode it is; without one it is UTF-8. Raises DataError, also
    while the file is read, when it is not: with the line, and the command that converts it.
    """
    import zstandard

    encoding = ""
    try:
        with _opened(path) as raw:
            start = raw.peek(4)[:4]
            encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8-sig")
            with io.TextIOWrapper(raw, encoding=encoding, newline="") as file:
                yield file
    except UnicodeError as error:
        raise DataError(_undecodable(path, encoding, error)) from None
    except (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        packing = PACKED.get(path.suffix.lower(), "text")
        raise DataError(f"{path}: not a whole {packing} file ({error}): fetch it again") from None


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each line with its number and its end; lines end in LF, CRLF or a lone CR.

    Raises DataError for what `open_text` refuses, and for a NUL byte.
    """
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            if "\0" in line:
                raise DataError(
                    f"{path}:{number}: a NUL byte, which no text has: is the file damaged, or "
                    "UTF-16 without its mark? Save it as UTF-8 and try again"
                )
            yield number, line


def first_text(path: Path) -> str:
    """Return the beginning of a text file, without blanks before it."""
    with open_text(path) as file:
        while text := file.read(4096):
            if text.strip():
                return text.lstrip()
    return ""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Yield the unpacked bytes of a file as a buffered stream."""
    packed = PACKED.get(path.suffix.lower())
    if packed in _OPENERS:
        with _OPENERS[packed](path, "rb") as unpacked:
            yield unpacked if packed == "gzip" else io.BufferedReader(unpacked)
    elif packed == "zstd":
        with path.open("rb") as raw:
            yield io.BufferedReader(_Zstd(raw))
    else:
        with path.open("rb") as file:
            yield file


class _Zstd(io.RawIOBase):
    """The content of a zstd file of one or several frames; one that ends too early is an error.

    zstandard's own stream reader takes the end of the file for the end of the data.
    """

    def __init__(self, raw: IO[bytes]):
        self._raw, self._ready, self._inside = raw, b"", False
        self._new()

    def _new(self) -> None:
        import zstandard

        self._frame = zstandard.ZstdDecompressor().decompressobj()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; return the number of bytes, 0 at the end."""
        while not self._ready and self._more():
            pass
        part, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    def _more(self) -> bool:
        import zstandard

        rest = self._frame.unused_data if self._frame.eof else b""
        if self._frame.eof:
            self._new()
            self._inside = False
        packed = rest or self._raw.read(1 << 16)
        if not packed:
            if self._inside:
                raise zstandard.ZstdError("it ends too early")
            return False
        self._inside = True
        self._ready = self._frame.decompress(packed)
        return True


def _undecodable(path: Path, encoding: str, error: UnicodeError) -> str:
    """Return what is wrong with a file that is not the Unicode it should be, and the way out."""
    if encoding != "utf-8-sig":
        return (
            f"{path}: not whole {encoding.upper()} text ({error}): save it as UTF-8 and try again"
        )
    with _opened(path) as raw:
        for number, line in enumerate(raw, 1):
            try:
                line.decode()
            except UnicodeDecodeError as wrong:
                lone = line.replace(b"\r\n", b"\n")[: wrong.start].count(b"\r")
                return _old(path, number + lone, line, wrong)
    return f"{path}: not UTF-8 text ({error}): save it as UTF-8 and try again"


def _old(path: Path, number: int, line: bytes, wrong: UnicodeDecodeError) -> str:
    if wrong.reason == "unexpected end of data" and not line.endswith((b"\r", b"\n")):
        return f"{path}:{number}: ends within a character: is the file whole? Fetch it again"
    start = line.rfind(b" ", 0, wrong.start) + 1
    word = line[start : wrong.start + 12].split(b" ")[0].split(b"\n")[0]
    shown = word.decode("cp1252", errors="replace").strip()[-24:]
    into = path.name.partition(".")[0] + "-utf8" + "".join(path.suffixes[:1])
    packed = PACKED.get(path.suffix.lower())
    read = f"{packed} -dc" if packed else ""
    source = shlex.quote(str(path))
    convert = f"iconv -f WINDOWS-1252 -t UTF-8 {source}"
    if read:
        convert = f"{read} {source} | iconv -f WINDOWS-1252 -t UTF-8"
    return (
        f"{path}:{number}: not UTF-8 (byte 0x{line[wrong.start]:02x}). It may be Windows-1252 or "
        f"Latin-1, where this reads {shown!r}; if so: {convert} > {shlex.quote(into)}"
    )
