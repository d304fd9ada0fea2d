"""Damage: a file that lost its end is named in one line, removed on request, and made again."""

import json

import pytest

from smalltune.core.errors import StoreError
from smalltune.core.upkeep import check

FILES = (
    "manifest.json", "provenance.json", "dropped.json",
    "facts.json", "log.jsonl", "model.safetensors",
)  # fmt: skip


@pytest.fixture
def key(store, jobs):
    """An artifact with every file that one can have."""
    key = jobs[0].key
    (store.folder(key) / "dropped.json").write_text("[]")
    assert sorted(p.name for p in store.folder(key).iterdir()) == sorted(FILES)
    assert check(store) == {}
    return key


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("left", [0, 1, 0.5])
def test_a_file_that_lost_its_end_is_found_and_its_artifact_removed(store, key, name, left):
    file = store.folder(key) / name
    data = file.read_bytes()
    file.write_bytes(data[: int(left if left != 0.5 else len(data) * left)])
    (lines,) = check(store).values()
    assert len(lines) == 1 and name in lines[0] and "\n" not in lines[0]
    assert list(check(store, repair=True)) == [key]
    assert not store.folder(key).exists() and check(store) == {}


@pytest.mark.parametrize("name", FILES[:2])
@pytest.mark.parametrize("text", ['{"files":', "[]", "\ufffd", "3"])
def test_an_unreadable_record_is_an_error_that_says_what_to_do(store, key, name, text):
    (store.folder(key) / name).write_text(text)
    read = store.manifest if name == "manifest.json" else store.provenance
    advice = f"{name} cannot be read. `smalltune store check STUDY --repair` removes it"
    with pytest.raises(StoreError, match=f"damaged artifact .*{key}: {advice}"):
        read(key)


@pytest.mark.parametrize(
    "files", [None, [], {"facts.json": 3}, {"facts.json": {"bytes": 3}}, {"facts.json": {}}]
)
def test_a_manifest_of_another_shape_is_damage(store, jobs, files):
    key = jobs[1].key
    manifest = store.manifest(key)
    (store.folder(key) / "manifest.json").write_text(json.dumps({**manifest, "files": files}))
    assert "manifest.json cannot be read" in store.verify(key)[0]
    for read in (store.path, lambda key: store.read_json(key, "facts.json")):
        with pytest.raises(StoreError, match="damaged artifact"):
            read(key)


def test_a_manifest_that_answers_another_question_is_damage(store, key):
    manifest = store.manifest(key)
    (store.folder(key) / "manifest.json").write_text(json.dumps({**manifest, "version": 2}))
    assert store.verify(key) == [f"{key[:12]} manifest.json: answers another question"]


@pytest.mark.parametrize("name", FILES[:2])
def test_a_record_that_is_missing_is_damage(store, key, name):
    (store.folder(key) / name).unlink()
    assert list(check(store, repair=True)) == [key]
    assert not store.folder(key).exists()


def test_an_artifact_without_its_manifest_is_made_again(store, jobs):
    folder = store.folder(jobs[0].key)
    (folder / "manifest.json").unlink()
    (store.work(jobs[0]) / "facts.json").write_text("{}")
    store.commit(jobs[0], {"seconds": 1.0})
    assert store.has(jobs[0].key) and check(store) == {}


def test_a_file_that_the_manifest_does_not_name_is_an_error_in_words(store, key):
    with pytest.raises(StoreError, match=r"no other\.json of artifact"):
        store.read_json(key, "other.json")


def test_a_damaged_failure_tells_nothing_and_a_damaged_plan_what_to_do(store, jobs):
    store.write_failure(jobs[0], "it broke")
    store.write_plan({"study": "a", "trials": [], "keys": []})
    assert store.failure(jobs[0].key)["reason"] == "it broke"
    for folder in ("failures", "plans"):
        for file in (store.root / folder).glob("*.json"):
            file.write_text(file.read_text()[:9])
    assert store.failure(jobs[0].key) is None
    with pytest.raises(StoreError, match=r"damaged plan .*a\.json: delete it and run"):
        store.read_plan("a")
    store.write_plan({"study": "a", "trials": [], "keys": []})
    assert store.read_plan("a")["keys"] == []
