"""Fetching: patience with the network, none with wrong bytes, and no request without a need."""

import hashlib
from pathlib import Path

import pytest

PATH = "data/validation-00000-of-00001.parquet"


@pytest.fixture
def table(root):
    return root / "datasets" / "stanfordnlp" / "sst2" / PATH


@pytest.fixture
def fetch(hub, table):
    """The expression that fetches the table."""
    commit = hub.commit("stanfordnlp/sst2", "datasets")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    return f"fetch_file('stanfordnlp/sst2', {commit!r}, {PATH!r}, {digest!r})"


@pytest.fixture
def cached(hub, client):
    """The path of the table in the cache, None when it is not there."""
    commit = hub.commit("stanfordnlp/sst2", "datasets")

    def look():
        return client.ask(f"cached('stanfordnlp/sst2', {commit!r}, {PATH!r}, 'dataset')")

    return look


def same(path, table):
    with open(path, "rb") as file:
        return file.read() == table.read_bytes()


@pytest.mark.parametrize("how", ["reset", 503])
def test_a_question_that_fails_on_the_way_is_asked_again(client, hub, how):
    hub.misbehave(how, times=3, where="/api/models/some/model")
    assert client.ask("pin_model('some/model')")["commit"] == hub.commit("some/model")
    assert hub.count("/api/models/some/model") == 4


@pytest.mark.parametrize("how", ["reset", 500])
def test_a_download_that_fails_on_the_way_is_tried_again(client, hub, fetch, table, how):
    hub.misbehave(how, times=2, where=PATH)
    assert same(client.ask(fetch), table)


def test_patience_has_an_end_and_the_hub_is_named(client, hub):
    hub.misbehave(502, times=-1)
    said = client.ask("pin_model('some/model')")
    assert said == (
        f"ModelError: some/model: {hub.url} answers 502, however often it is asked: try again later"
    )
    assert hub.count("/api/models/some/model") == 4


@pytest.mark.parametrize("wait", ["abc", "-1", "nan", "inf"])
def test_a_wait_that_is_no_number_of_seconds_is_named(client, hub, wait):
    assert client.ask("pin_model('some/model')", SMALLTUNE_HUB_WAIT=wait) == (
        f"SmalltuneError: SMALLTUNE_HUB_WAIT={wait}: it must be a number of seconds from 0 to 3600"
    )
    assert hub.count() == 0


@pytest.mark.parametrize(("status", "times"), [(400, 1), (429, 4)])
def test_only_what_is_asked_often_is_said_to_be(client, hub, status, times):
    hub.misbehave(status, times=-1)
    said = client.ask("pin_model('some/model')")
    assert said.startswith(f"ModelError: some/model: {hub.url} ") and str(status) in said
    assert ("however often it is asked" in said) == (times > 1)
    assert hub.count("/api/models/some/model") == times


def test_the_clients_own_remarks_are_kept_out_and_its_logger_is_as_before(client, hub, fetch):
    hub.misbehave(503, times=2, where=PATH)
    code = f"""
import logging
from huggingface_hub.utils import logging as client
from smalltune.hub import fetch_file
before = client.get_verbosity()
print({fetch})
assert client.get_verbosity() == before < logging.ERROR
"""
    done = client.run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert hub.count(PATH) > 2


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_what_the_hub_refuses_is_asked_once(client, hub, status):
    hub.misbehave(status, times=-1)
    assert client.ask("pin_model('some/model')").startswith("ModelError: some/model: ")
    assert hub.count("/api/models/some/model") - hub.count("/refs") == 1


def test_a_download_that_breaks_off_is_gone_on_with(client, hub, fetch, table):
    hub.misbehave("short", where=PATH)
    assert same(client.ask(fetch), table)


@pytest.mark.parametrize("how", ["truncate", "corrupt"])
def test_wrong_bytes_are_found_by_their_digest_and_fetched_again(client, hub, fetch, table, how):
    hub.misbehave(how, where=PATH)
    assert same(client.ask(fetch), table)
    assert hub.count(PATH, "GET") == 2


@pytest.mark.parametrize(
    ("how", "found"), [("truncate", "found a part of it, twice."), ("corrupt", "found ")]
)
def test_bytes_that_stay_wrong_are_named_and_do_not_stay_in_the_cache(
    client, hub, fetch, table, cached, how, found
):
    commit = hub.commit("stanfordnlp/sst2", "datasets")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    hub.misbehave(how, times=-1, where=PATH)
    said = client.ask(fetch)
    start = f"DataError: stanfordnlp/sst2: {PATH} at {commit[:12]}: expected {digest[:12]}..., "
    assert said.startswith(start + found)
    assert said.endswith("`smalltune lock STUDY`")
    assert hub.count(PATH, "GET") == 2
    assert cached() is None


def test_what_is_cached_is_not_asked_for_again(client, hub, fetch, cached):
    assert cached() is None
    path = client.ask(fetch)
    before = hub.count()
    assert client.ask(fetch) == client.ask(fetch, HF_HUB_OFFLINE="1") == path == cached()
    assert hub.count() == before


def test_bytes_that_went_bad_in_the_cache_are_fetched_again(client, hub, fetch, table):
    path = client.ask(fetch)
    with open(path, "r+b") as file:
        file.write(b"XXXX")
    assert client.ask(fetch, HF_HUB_OFFLINE="1").endswith(
        "must be fetched: what the cache holds is not what was locked (HF_HOME). "
        "Unset HF_HUB_OFFLINE and run once"
    )
    assert same(client.ask(fetch), table)


def test_offline_what_the_cache_lacks_is_named_and_no_download_is_told(client, hub, fetch):
    told = f"{fetch[:-1]}, lambda what: print('told', what))"
    commit = hub.commit("stanfordnlp/sst2", "datasets")
    done = client.run("-c", f"from smalltune.hub import fetch_file\n{told}", HF_HUB_OFFLINE="1")
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith(
        f"stanfordnlp/sst2: HF_HUB_OFFLINE is set, and {PATH} at {commit[:12]} must be fetched: "
        "it is not in the cache (HF_HOME). Unset HF_HUB_OFFLINE and run once"
    )


@pytest.fixture
def commits(client, hub, root, fetch):
    """Two commits in the cache whose tables are one blob."""
    first = hub.commit("stanfordnlp/sst2", "datasets")
    (root / "datasets" / "stanfordnlp" / "sst2" / "README.md").write_text("# Data\n")
    second = hub.commit("stanfordnlp/sst2", "datasets")
    paths = [Path(client.ask(fetch.replace(first, commit))) for commit in (first, second)]
    assert first != second and paths[0] != paths[1] and paths[0].samefile(paths[1])
    return paths


def test_a_right_file_stays_for_the_snapshots_that_did_not_ask_for_another(
    client, fetch, table, commits
):
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    assert "twice" in client.ask(fetch.replace(digest, "0" * 64))
    assert not commits[0].is_symlink() and same(commits[1], table)


def test_a_blob_whose_bytes_are_wrong_for_its_name_goes_for_all(client, hub, fetch, commits):
    hub.misbehave("corrupt", times=-1, where=PATH)
    commits[0].resolve().write_bytes(b"XXXX")
    assert "twice" in client.ask(fetch)
    assert not commits[0].exists() and not commits[1].exists()


def test_a_model_comes_as_a_folder_and_tells_what_it_downloads(client, hub):
    pinned = client.ask("pin_model('some/model')")
    arguments = f"'some/model', {pinned['commit']!r}, {pinned['files']!r}"
    done = client.ask(f"[told := [], str(fetch_model({arguments}, told.append)), told]")
    assert done[1] == pinned["folder"]
    assert done[2] == ["some/model model.safetensors"]
    assert hub.count("pytorch_model.bin") == hub.count("README.md") == 0
