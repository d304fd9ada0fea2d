"""Asking the hub: try again when the network or the hub stumbles, and say in a line what is wrong.

What failed on the way (a connection that broke, a time that ran out, a status of 500 or more, 408
or 429) is asked again after 1, 2 and 4 seconds. What the hub refuses (any other 4xx) is refused for
good.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from smalltune.core.errors import DataError, ModelError, SmalltuneError
from smalltune.core.plugins import nearest

__all__ = ["Repository", "asked", "patiently", "transient"]

TRIES: Final = 4
LONGEST: Final = 3600
BROKEN: Final = {"TimeoutException", "ReadError", "WriteError", "RemoteProtocolError"}
"""Errors of the HTTP library that may not come again, by name: it is httpx for some versions of the
client and httpx2 for others. A refused connection is not among them: nobody is there."""

T = TypeVar("T")


@dataclass(frozen=True)
class Repository:
    """A model or a data set on the hub, at a revision."""

    kind: Literal["model", "dataset"]
    name: str
    revision: str | None = None

    @property
    def noun(self) -> str:
        """What a reader calls it."""
        return "model" if self.kind == "model" else "data set"

    def error(self, text: str) -> SmalltuneError:
        """Return an error about it."""
        return (ModelError if self.kind == "model" else DataError)(f"{self.name}: {text}")


def asked(repository: Repository, call: Callable[[], T]) -> T:
    """Return what the call returns, asking again where that may help.

    Raises ModelError or DataError with the reason in one line; an error that is not about the hub
    passes through.
    """
    try:
        with _quietly():
            return patiently(call)
    except SmalltuneError:
        raise
    except Exception as error:
        reason = _reason(repository, error)
        if reason is None:
            raise
        raise repository.error(reason) from error


def patiently(call: Callable[[], T]) -> T:
    """Return what the call returns; a transient error is tried again, three times at most.

    Raises SmalltuneError when SMALLTUNE_HUB_WAIT is no number of seconds.
    """
    wait = _wait()
    for attempt in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            if not transient(error):
                raise
        time.sleep(wait * 2**attempt)
    return call()


def transient(error: BaseException) -> bool:
    """Tell whether the same request may succeed a moment later."""
    for each in _chain(error):
        status = _status(each)
        if status is not None:
            return status >= 500 or status in (408, 429)
        if {kind.__name__ for kind in type(each).__mro__} & BROKEN:
            return True
        if isinstance(each, ConnectionResetError | TimeoutError):
            return True
    return False


def _wait() -> float:
    """Return the seconds before the first repetition."""
    said = os.environ.get("SMALLTUNE_HUB_WAIT") or "1"
    with suppress(ValueError):
        if 0 <= float(said) <= LONGEST:
            return float(said)
    raise SmalltuneError(
        f"SMALLTUNE_HUB_WAIT={said}: it must be a number of seconds from 0 to {LONGEST}"
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the client's own remarks (its retries, on cards) out of our lines; errors are raised."""
    import huggingface_hub.utils  # noqa: F401  # sets the level of its logger when it is imported

    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(max(before, logging.ERROR))
    try:
        yield
    finally:
        logger.setLevel(before)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from; the clients wrap what went wrong on the way."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def _reason(repository: Repository, error: Exception) -> str | None:
    """Return what is wrong and what to do, None when the error is not about the hub."""
    for each in _chain(error):
        reason = _refused(repository, each) or _unanswered(each)
        if reason:
            return reason
    return None


def _refused(repository: Repository, error: BaseException) -> str | None:
    """Return why the hub does not give what was asked for, None for another error."""
    from huggingface_hub import errors

    noun, status = repository.noun, _status(error)
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the hub has no revision {repository.revision!r} of it{_near(repository)}"
    if isinstance(error, errors.EntryNotFoundError) and status == 404:
        return f"{_file(error)} is not on the hub at this revision"
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (errors.OfflineModeIsEnabled, "HF_HUB_OFFLINE is set, and this must be asked of the hub"),
        (errors.GatedRepoError, f"a gated {noun}: {_access()}"),
        (
            errors.RepositoryNotFoundError,
            f"the hub has no such {noun}, or it is private: then set HF_TOKEN",
        ),
        (errors.HFValidationError, "the hub can have no such name: it is owner/name"),
    )
    for kind, text in reasons:
        if isinstance(error, kind):
            return text
    if status in (401, 403):
        return f"the hub refuses it ({status}): set HF_TOKEN to a token that may read it"
    return None


def _access() -> str:
    """Return how one gets access to what is gated."""
    if os.environ.get("HF_TOKEN"):
        return (
            "HF_TOKEN is set, but it has no access: accept the licence on its hub page with that "
            "account"
        )
    return "accept its licence on its hub page, then set HF_TOKEN"


def _unanswered(error: BaseException) -> str | None:
    """Return how the hub failed, None when it is not the hub that failed."""
    from huggingface_hub import errors

    status = _status(error)
    if status is not None and not transient(error):
        return f"{_endpoint()} refuses the request (status {status}): is HF_ENDPOINT right?"
    if status is not None:
        return f"{_endpoint()} answers {status}, however often it is asked: try again later"
    if isinstance(error, getattr(errors, "HTTPError", OSError) | ConnectionError | TimeoutError):
        said = str(error).strip().splitlines()
        return (
            f"{_endpoint()} does not answer ({said[0] if said else type(error).__name__}): "
            "is there a network, is HF_ENDPOINT right?"
        )
    return None


def _near(repository: Repository) -> str:
    """Return the nearest right revision where the hub lists them."""
    from huggingface_hub import HfApi

    with suppress(Exception):  # a hint only: the error stands without it
        refs = HfApi().list_repo_refs(repository.name, repo_type=repository.kind)
        names = [ref.name for ref in (*refs.branches, *refs.tags)]
        return f". {nearest(repository.revision or '', names)}"
    return ""


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT") or "the hub"


def _file(error: BaseException) -> str:
    """Return the name of the file that was asked for."""
    url = str(getattr(getattr(error, "response", None), "url", ""))
    return url.partition("/resolve/")[2].partition("/")[2] or "a file"
