"""The store's upkeep: damage is found, garbage goes, and finished work travels in one file."""

import gzip
import io
import json
import tarfile

import pytest

from smalltune.core.archive import export_store, import_store
from smalltune.core.claims import claim
from smalltune.core.errors import StoreError, StudyError
from smalltune.core.store import Store
from smalltune.core.upkeep import check, collect


@pytest.fixture
def full(go, store):
    go("keep_weights=true")
    return store


@pytest.fixture
def packed(full, tmp_path):
    file = tmp_path / "work.tar.gz"
    export_store(full, full.keys(), ["little"], file)
    return file


def rewrite(file, change):
    """Write an archive anew with each member's bytes passed through `change(name, data)`."""
    with tarfile.open(file) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()]
    with tarfile.open(file, "w:gz") as tar:
        for name, data in members:
            name, data = change(name, data)
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def test_a_whole_store_has_no_damage(full):
    assert check(full) == {}


def test_damage_is_found_by_reading_every_byte_and_removed_on_request(full, go, here):
    file = min(full.root.glob("artifacts/*/*/weights/model.safetensors"))
    file.write_bytes(b"x" * file.stat().st_size)
    key = file.parents[1].name
    assert check(full) == {
        key: [f"{key[:12]} weights/model.safetensors: its digest is not the manifest's"]
    }
    assert full.known(key)
    check(full, repair=True)
    assert not full.known(key) and check(full) == {}
    here.stages()
    go("keep_weights=true")
    assert here.stages() == ["train"]


def test_what_no_studys_plan_names_is_garbage(full, go):
    assert collect(full).artifacts == []
    go("methods.tuned.rank=4")
    found = collect(full, dry=True)
    assert len(found.artifacts) == 10 and found.bytes > 0
    assert all(full.known(key) for key in found.artifacts)
    held = claim(full, found.artifacts[0])
    collect(full)
    assert [full.known(key) for key in found.artifacts] == [True] + [False] * 9
    held.release()


def test_finished_work_travels_to_another_store(packed, full, tmp_path):
    other = Store(tmp_path / "other")
    report = import_store(other, packed)
    assert sorted(report.taken) == sorted(full.keys()) == sorted(other.keys())
    assert report.refused == {} and check(other) == {}
    plan = full.read_plan("little")
    assert other.read_plan("little") == {k: v for k, v in plan.items() if k != "file"}
    again = import_store(other, packed)
    assert again.taken == [] and sorted(again.known) == sorted(full.keys())


def test_dropped_weights_stay_dropped_on_the_way_and_do_not_replace_whole_ones(full, go, tmp_path):
    go()
    file = tmp_path / "dropped.tar.gz"
    export_store(full, full.keys(), [], file)
    other = Store(tmp_path / "other")
    assert not import_store(other, file).refused
    trains = [k for k in sorted(other.keys()) if other.manifest(k)["stage"] == "train"]
    assert trains and not any(other.has(key) for key in trains)
    assert all(other.known(key) for key in trains)


def test_a_changed_answer_is_refused_and_the_others_are_taken(packed, tmp_path):
    def change(name, data):
        if name.endswith("facts.json"):
            return name, data.replace(b"0.5", b"0.9")
        return name, data

    rewrite(packed, change)
    other = Store(tmp_path / "other")
    report = import_store(other, packed)
    assert len(report.refused) == 8 and len(report.taken) == 12
    assert set(report.refused.values()) == {"the digest of facts.json is not its manifest's"}
    assert check(other) == {}


def test_an_answer_to_another_question_is_refused(packed, tmp_path):
    def change(name, data):
        if name.endswith("manifest.json"):
            manifest = json.loads(data)
            manifest["version"] += 1
            data = json.dumps(manifest).encode()
        return name, data

    rewrite(packed, change)
    report = import_store(Store(tmp_path / "other"), packed)
    assert not report.taken
    assert set(report.refused.values()) == {"its manifest answers another question"}


@pytest.mark.parametrize("bad", ["../../../../evil", "weights/../../evil", "extra.txt"])
def test_files_that_no_manifest_names_are_not_written(packed, tmp_path, bad):
    def change(name, data):
        if name.endswith("model.safetensors"):
            return "/".join(name.split("/")[:2]) + "/" + bad, data
        return name, data

    rewrite(packed, change)
    other = Store(tmp_path / "deep" / "er" / "other")
    report = import_store(other, packed)
    assert len(report.refused) == 2
    assert not list(tmp_path.rglob("evil")) and not list(tmp_path.rglob("extra.txt"))


def test_a_broken_archive_is_one_clear_error(packed, tmp_path):
    data = packed.read_bytes()
    for wrong in (b"", b"nonsense", data[: len(data) // 2], gzip.compress(b"not a tar")):
        packed.write_bytes(wrong)
        with pytest.raises(StoreError, match="not a whole archive"):
            import_store(Store(tmp_path / "other"), packed)
    with pytest.raises(StoreError, match="no such file"):
        import_store(Store(tmp_path / "other"), tmp_path / "nowhere")


def test_two_studies_of_one_name_keep_their_work_apart(full, go, bureau, tmp_path):
    other = type(bureau)(tmp_path / "other")
    plan, file = full.read_plan("little"), bureau.file
    assert plan["file"] == str(file) and str(file) not in str(plan["trials"])
    bureau.folder = other.folder
    with pytest.raises(StudyError, match=f"the name 'little' belongs to {file} in this store"):
        go("keep_weights=true", "seeds=1")
    assert full.read_plan("little") == plan and collect(full).artifacts == []
    file.unlink()
    go("keep_weights=true", "seeds=1")
    assert full.read_plan("little")["file"] == str(other.file)


def test_a_run_that_meets_a_damaged_record_ends_in_one_error_and_goes_on_after_repair(full, go):
    for file in sorted(full.root.glob("artifacts/*/*/manifest.json")):
        file.write_text(file.read_text()[:20])
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read"):
        go()
    assert len(check(full, repair=True)) == 20
    assert go("keep_weights=true").ok and check(full) == {}
