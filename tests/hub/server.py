"""A model hub on loopback for tests: real clients talk to it through `HF_ENDPOINT`.

`root` holds `models/<owner>/<name>/**` and `datasets/<owner>/<name>/**`. Whatever a folder holds is
`main`; a state that was once asked for stays a commit when the folder changes. The server can be
told to misbehave as networks and hubs do.

    with Hub(root) as hub:
        subprocess.run(command, env={**os.environ, **hub.environment(tmp_path / "hf")})

`HF_ENDPOINT` is read when a client is imported, hence the process of its own.
"""

import json
import re
import socket
import struct
import sys
import threading
import urllib.parse
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from hub.repositories import File, Repository, parameters

API = re.compile(
    r"/api/(models|datasets)/([^/]+/[^/]+?)"
    r"(?:/(?:(refs)|(revision|tree|paths-info)/([^/]+)(?:/(.*))?))?"
)
FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Trouble:
    """What goes wrong with the next `times` requests whose path holds `where`."""

    how: str | int
    times: int
    where: str

    def takes(self, request: "Handler", kinds: tuple[type, ...], words: tuple[str, ...]) -> bool:
        """Tell whether this request is struck, and count it."""
        mine = isinstance(self.how, kinds) and (not words or self.how in words)
        if not mine or self.times == 0 or self.where not in request.path:
            return False
        self.times -= 1
        return True


class Hub(ThreadingHTTPServer):
    """The server; as a context manager it answers until the block ends."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, root: Path | str, port: int = 0):
        """Serve the folders below `root`; port 0 takes a free one."""
        self.root = Path(root)
        self.requests: list[tuple[str, str, int]] = []
        self.gates: dict[str, str] = {}
        self.private: set[str] = set()
        self.troubles: list[Trouble] = []
        self._repositories: dict[str, Repository] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Handler)

    def __enter__(self) -> "Hub":
        """Start to answer."""
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop: the next request finds nobody."""
        self.shutdown()
        self.server_close()

    @property
    def url(self) -> str:
        """What `HF_ENDPOINT` shall be."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, home: Path | str, **more: str) -> dict[str, str]:
        """Return the variables of a client process with a cache of its own in `home`."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_TOKEN": "",
            "NO_PROXY": "127.0.0.1",
            "SMALLTUNE_HUB_WAIT": "0.01",
            **more,
        }

    # What it holds

    def commit(self, name: str, kind: str = "models") -> str:
        """Return the commit that `main` of a repository is now."""
        found = self.repository(kind, name)
        assert found is not None, f"{kind}/{name}"
        return found.look()

    def tag(self, name: str, tag: str, kind: str = "models") -> None:
        """Name the present state of a repository."""
        found = self.repository(kind, name)
        assert found is not None, f"{kind}/{name}"
        found.tags[tag] = found.look()

    def repository(self, kind: str, name: str) -> Repository | None:
        """Return a repository, None when there is no such folder."""
        folder = self.root / kind / name
        with self._lock:
            if not folder.is_dir():
                return None
            return self._repositories.setdefault(f"{kind}/{name}", Repository(folder))

    # How it misbehaves

    def misbehave(self, how: str | int, times: int = 1, where: str = "") -> None:
        """Strike the next `times` requests (-1: all) whose path holds `where`.

        `how` is "reset" (the connection breaks before an answer), a status such as 503, or, for
        the bodies of files only, "truncate" (half of it, as if that were all), "short" (half of
        what Content-Length promises) or "corrupt" (a byte is another one).
        """
        self.troubles.append(Trouble(how, times, where))

    def gate(self, name: str, token: str = "hf_good") -> None:
        """Give the files of a repository only to who holds the token."""
        self.gates[name] = token

    def count(self, where: str = "", method: str | None = None) -> int:
        """Return how many requests held `where` in their path, failed ones too."""
        return sum(where in p and method in (None, m) for m, p, _ in list(self.requests))


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: Hub
    body: bytes = b""

    def log_message(self, *args: object) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        """Answer a question for the headers."""
        self.answer()

    def do_GET(self) -> None:
        """Answer a question."""
        self.answer()

    def do_POST(self) -> None:
        """Answer a question with a body."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer()

    def answer(self) -> None:
        """Find out what is asked for, unless trouble comes first."""
        for trouble in self.server.troubles:
            if trouble.takes(self, (str,), ("reset",)):
                return self.reset()
            if trouble.takes(self, (int,), ()):
                return self.send(int(trouble.how), b"upset")
        parts = urllib.parse.urlsplit(self.path)
        path = re.sub("//+", "/", parts.path)
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(parts.query).items()}
        if found := FILE.fullmatch(path):
            kind = "datasets" if found[1] else "models"
            name, revision, file = (urllib.parse.unquote(part) for part in found.groups()[1:])
            return self.file(kind, name, revision, file)
        if found := API.fullmatch(path.rstrip("/")):
            kind, name, refs, verb, revision, rest = found.groups()
            given = urllib.parse.unquote(revision or "main")
            return self.api(kind, name, refs or verb, given, rest or "", query)
        return self.missing("EntryNotFound")

    def reset(self) -> None:
        """Break the connection so that the client sees a reset."""
        self.server.requests.append((self.command, self.path, 0))
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    def send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Send a status, headers and, unless only those were asked for, the body."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.server.requests.append((self.command, self.path, status))
        said = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        self.send_response(status)
        for name, value in {**said, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.close_connection |= int((headers or {}).get("Content-Length", 0)) > len(body)

    def missing(self, code: str, status: int = 404) -> None:
        """Say what is not there in the header that clients read."""
        self.send(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    def commit(self, kind: str, name: str, revision: str) -> tuple[str, dict[str, File]] | None:
        """Return a commit and its files, or None after saying what is not there."""
        repository = self.server.repository(kind, name)
        if repository is None or name in self.server.private:
            self.missing("RepoNotFound", 401 if name in self.server.private else 404)
            return None
        sha = repository.resolve(revision)
        if sha is None:
            self.missing("RevisionNotFound")
            return None
        return sha, dict(repository.commits[sha])

    # The pages

    def api(
        self, kind: str, name: str, verb: str | None, revision: str, rest: str, query: dict
    ) -> None:
        """Answer what is asked of a repository, not of a file."""
        found = self.commit(kind, name, revision)
        if found is None:
            return
        sha, files = found
        if verb == "refs":
            repository = self.server.repository(kind, name)
            assert repository is not None
            tags = [refer(f"refs/tags/{tag}", c) for tag, c in repository.tags.items()]
            branches = [refer("refs/heads/main", sha)]
            self.send(200, {"branches": branches, "tags": tags, "converts": []})
        elif verb == "tree":
            deep = query.get("recursive", "false").lower() in ("true", "1")
            listed = tree(files, rest, deep=deep)
            self.missing("EntryNotFound") if listed is None else self.send(200, listed)
        elif verb == "paths-info":
            wanted = self.wanted()
            everything = tree(files, "", deep=True) or []
            self.send(200, [each for each in everything if each["path"] in wanted])
        else:
            blobs = query.get("blobs", "false").lower() in ("true", "1")
            self.send(200, self.page(kind, name, sha, files, blobs=blobs))

    def wanted(self) -> list[str]:
        """Return the paths that a body asks for, as JSON or as a form."""
        if self.body[:1] == b"{":
            return list(json.loads(self.body)["paths"])
        return urllib.parse.parse_qs(self.body.decode()).get("paths", [])

    def page(
        self, kind: str, name: str, sha: str, files: dict[str, File], *, blobs: bool
    ) -> dict[str, Any]:
        """Return what a repository's page says."""
        said: dict[str, Any] = {
            "_id": "0" * 24, "id": name, "sha": sha, "private": False, "disabled": False,
            "gated": "manual" if name in self.server.gates else False,
            "downloads": 0, "likes": 0, "tags": [], "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "siblings": [file.sibling(blobs=blobs) for file in files.values()],
        }  # fmt: skip
        if kind == "models":
            counts: dict[str, int] = {}
            for file in files.values():
                if file.path.endswith(".safetensors"):
                    for dtype, count in parameters(file).items():
                        counts[dtype] = counts.get(dtype, 0) + count
            said["modelId"] = name
            if counts:
                said["safetensors"] = {"parameters": counts, "total": sum(counts.values())}
        return said

    def file(self, kind: str, name: str, revision: str, path: str) -> None:
        """Send a file, or the part of it that is asked for."""
        found = self.commit(kind, name, revision)
        if found is None:
            return
        token = self.server.gates.get(name)
        if token and self.headers.get("Authorization") != f"Bearer {token}":
            return self.missing("GatedRepo", 401)
        sha, files = found
        if path not in files:
            return self.missing("EntryNotFound")
        self.part(files[path], sha)

    def part(self, file: File, sha: str) -> None:
        """Send a file or the range of it that is asked for, damaged where that was wished."""
        said = {
            "ETag": f'"{file.etag}"', "X-Repo-Commit": sha, "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
        }  # fmt: skip
        if file.sha256:
            said |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.data))}
        for trouble in self.server.troubles if self.command == "GET" else ():
            if trouble.takes(self, (str,), ("truncate", "short", "corrupt")):
                return self.send(200, *spoilt(str(trouble.how), file.data, said))
        part = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if part:
            first, last = int(part[1]), int(part[2] or len(file.data) - 1)
            said["Content-Range"] = f"bytes {first}-{last}/{len(file.data)}"
            return self.send(206, file.data[first : last + 1], said)
        return self.send(200, file.data, said)


def spoilt(how: str, data: bytes, said: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """Return a damaged body and its headers."""
    if how == "corrupt":
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :], said
    half = data[: len(data) // 2]
    return half, {**said, "Content-Length": str(len(data))} if how == "short" else said


def refer(ref: str, commit: str) -> dict[str, str]:
    """Return a branch or a tag as the page of references has it."""
    return {"name": ref.rpartition("/")[2], "ref": ref, "targetCommit": commit}


def tree(files: dict[str, File], below: str, *, deep: bool) -> list[dict[str, Any]] | None:
    """Return the entries below a folder, None when there is no such folder."""
    start = f"{below.strip('/')}/" if below.strip("/") else ""
    inside = [path for path in files if path.startswith(start)]
    if start and not inside:
        return None
    found: dict[str, dict[str, Any]] = {}
    for path in inside:
        parts = path[len(start) :].split("/")
        for depth in range(1, len(parts)):
            folder = start + "/".join(parts[:depth])
            if deep or depth == 1:
                found[folder] = {"type": "directory", "oid": "0" * 40, "size": 0, "path": folder}
        if deep or len(parts) == 1:
            found[path] = files[path].entry()
    return list(found.values())


if __name__ == "__main__":
    with Hub(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0) as running:
        print(running.url, flush=True)
        threading.Event().wait()
