"""Archives: finished work in one compressed file, to carry from one machine's store to another's.

An archive is a tar file: the count of its artifacts, the plans, the openings of test splits, then
for each artifact its manifest first, its records and its files. Nothing in it is trusted on
arrival. A manifest must hash to the key that it claims, each file must have the size and the digest
of its manifest, and whatever does not verify is refused, artifact by artifact. The count tells an
archive whose end is missing.
"""

import contextlib
import io
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from smalltune.core import openings
from smalltune.core.disk import place_errors
from smalltune.core.errors import StoreError
from smalltune.core.store import Store
from smalltune.core.unpacking import LARGEST_RECORD, RECORDS, Member, read_record, unpack

__all__ = ["Imported", "export_store", "import_store"]

INDEX = "index.json"
KEY = re.compile(r"[0-9a-f]{64}")
STUDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass
class Imported:
    """What an archive brought: keys taken, known before, and refused with the reason.

    `total` is how many artifacts the archive says it holds, None when it does not say.
    """

    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    total: int | None = None

    @property
    def whole(self) -> bool:
        """Tell whether as many artifacts came as the archive says it holds."""
        return len(self.taken) + len(self.known) + len(self.refused) >= (self.total or 0)


def export_store(store: Store, keys: Iterable[str], studies: Iterable[str], file: Path) -> int:
    """Write the finished artifacts among `keys` and the studies' plans; return how many they are.

    The file appears whole or not at all.
    """
    if file.is_dir():
        raise StoreError(f"{file}: is a folder: name a file, such as {file / 'work.tar.gz'}")
    finished, draft = (
        [key for key in keys if store.known(key)],
        file.with_name(f".{file.name}.draft"),
    )
    with place_errors(file):
        try:
            with tarfile.open(draft, "w:gz", compresslevel=6) as tar:
                _add(tar, INDEX, json.dumps({"artifacts": len(finished)}).encode())
                for study in studies:  # where its file lies means nothing on another machine
                    plan = {k: v for k, v in store.read_plan(study).items() if k != "file"}
                    _add(tar, f"plans/{study}.json", json.dumps(plan).encode())
                if record := openings.lines(store, finished):
                    _add(tar, openings.FILE, record.encode())
                for key in finished:
                    folder = store.folder(key)
                    for name in [*RECORDS, *store.manifest(key)["files"]]:
                        if (folder / name).is_file():
                            _add(tar, f"artifacts/{key}/{name}", (folder / name).read_bytes())
            draft.replace(file)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    return len(finished)


def import_store(store: Store, file: Path) -> Imported:
    """Take what an archive holds into the store, each artifact after it has verified."""
    report = Imported()
    try:
        with tarfile.open(file, "r|gz") as tar, tempfile.TemporaryDirectory(dir=store.root) as tmp:
            for key, members in _artifacts(tar, store, report):
                _take(store, key, members, Path(tmp) / key, report)
    except FileNotFoundError:
        raise StoreError(f"{file}: no such file") from None
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise StoreError(f"{error.filename or file}: {error.strerror}") from None
        raise _cut_off(file, report) from None
    if not report.whole:
        raise _cut_off(file, report)
    return report


def _cut_off(file: Path, report: Imported) -> StoreError:
    of = "" if report.total is None else f" of {report.total}"
    known = f", {len(report.known)} were known before" if report.known else ""
    taken = f"{len(report.taken)}{of} artifacts were taken{known}"
    return StoreError(f"{file}: not a whole archive: {taken}")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _artifacts(
    tar: tarfile.TarFile, store: Store, report: Imported
) -> Iterator[tuple[str, Iterator[Member]]]:
    """Yield each artifact's key and its members, in the order of the archive; take plans."""
    entry = tar.next()
    while entry is not None:
        parts = PurePosixPath(entry.name).parts
        inside = len(parts) >= 3 and parts[0] == "artifacts" and KEY.fullmatch(parts[1])
        if entry.isreg() and inside:
            group = _Group(tar, parts[1], entry)
            yield parts[1], group.members()
            entry = group.next
            continue
        if entry.isreg() and entry.name == INDEX:
            report.total = _total(tar, entry)
        elif entry.isreg() and entry.name == openings.FILE:
            _take_openings(tar, entry, store)
        elif entry.isreg() and len(parts) == 2 and parts[0] == "plans":
            _take_plan(tar, entry, parts[1], store)
        entry = tar.next()


class _Group:
    """The members of one artifact; `next` is the first entry behind them."""

    def __init__(self, tar: tarfile.TarFile, key: str, first: tarfile.TarInfo):
        self.tar, self.key = tar, key
        self.next: tarfile.TarInfo | None = first

    def members(self) -> Iterator[Member]:
        start = f"artifacts/{self.key}/"
        while self.next is not None and self.next.name.startswith(start):
            entry = self.next
            if entry.isreg():
                yield entry.name.removeprefix(start), entry.size, self.tar.extractfile(entry)
            self.next = self.tar.next()


def _take(
    store: Store, key: str, members: Iterator[Member], folder: Path, report: Imported
) -> None:
    """Verify one artifact in `folder` and put it in its place; all members are consumed."""
    try:
        if store.has(key):
            report.known.append(key)
            return
        folder.mkdir()
        unpack(key, members, folder)
        _put(store, key, folder)
        report.taken.append(key)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        report.refused[key] = str(error) or "not readable"
    finally:
        for _ in members:  # what was not read of this artifact
            pass
        shutil.rmtree(folder, ignore_errors=True)


def _put(store: Store, key: str, folder: Path) -> None:
    target = store.folder(key)
    if store.known(key):
        if (folder / "dropped.json").exists():
            return  # no more than what is here
        shutil.rmtree(target)
    target.parent.mkdir(exist_ok=True)
    folder.rename(target)


def _total(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> int | None:
    try:
        total = read_record(entry.name, entry.size, tar.extractfile(entry))["artifacts"]
    except (ValueError, KeyError, TypeError):
        return None
    return total if isinstance(total, int) else None


def _take_openings(tar: tarfile.TarFile, entry: tarfile.TarInfo, store: Store) -> None:
    reader = tar.extractfile(entry)
    if reader is not None and entry.size <= LARGEST_RECORD:
        openings.add(store, openings.parse(reader.read().decode("utf-8", "replace")))


def _take_plan(tar: tarfile.TarFile, entry: tarfile.TarInfo, name: str, store: Store) -> None:
    study = name.removesuffix(".json")
    reader = tar.extractfile(entry)
    if not STUDY.fullmatch(study) or study in store.studies() or reader is None:
        return
    try:
        record = read_record(name, entry.size, reader)
    except ValueError:
        return
    if isinstance(record, dict) and record.get("study") == study and "keys" in record:
        store.write_plan(record)
