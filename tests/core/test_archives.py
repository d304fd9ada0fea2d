"""Archives: one that lost its end says so, and a place that cannot be is an error in words."""

import gzip

import pytest

from smalltune.core.archive import export_store, import_store
from smalltune.core.errors import StoreError
from smalltune.core.store import Store
from smalltune.core.upkeep import check


@pytest.fixture
def packed(store, jobs, tmp_path):
    store.write_plan({"study": "a", "file": str(tmp_path), "trials": [], "keys": ["k"]})
    file = tmp_path / "work.tar.gz"
    assert export_store(store, [job.key for job in jobs], ["a"], file) == len(jobs)
    return file


@pytest.mark.parametrize("share", [0.2, 0.4, 0.5, 0.6, 0.8, 0.95])
@pytest.mark.parametrize("closed", [True, False])
def test_an_archive_that_lost_its_end_says_how_many_it_brought(packed, tmp_path, share, closed):
    data = packed.read_bytes()
    if closed:  # the tar file was cut, then compressed: gzip sees nothing wrong
        plain = gzip.decompress(data)
        packed.write_bytes(gzip.compress(plain[: int(len(plain) * share) // 512 * 512]))
    else:
        packed.write_bytes(data[: int(len(data) * share)])
    other = Store(tmp_path / "other")
    with pytest.raises(StoreError) as caught:
        import_store(other, packed)
    taken = len(list(other.keys()))
    assert taken < 6 and check(other) == {}
    said = f"{packed}: not a whole archive: {taken} of 6 artifacts were taken"
    assert str(caught.value) == said


def test_a_whole_archive_is_taken_whole_and_twice(packed, tmp_path):
    other = Store(tmp_path / "other")
    report = import_store(other, packed)
    assert (len(report.taken), report.total, report.whole) == (6, 6, True)
    assert len(import_store(other, packed).known) == 6


def test_an_archive_does_not_say_where_the_study_lies(packed, tmp_path):
    other = Store(tmp_path / "other")
    import_store(other, packed)
    assert other.read_plan("a") == {"study": "a", "trials": [], "keys": ["k"]}
    assert str(tmp_path).encode() not in gzip.decompress(packed.read_bytes())


def test_an_export_to_no_folder_or_onto_a_folder_is_an_error_in_words(store, jobs, tmp_path):
    with pytest.raises(StoreError, match=r"nowhere/x: there is no such folder"):
        export_store(store, store.keys(), [], tmp_path / "nowhere" / "x")
    with pytest.raises(StoreError, match="is a folder: name a file, such as"):
        export_store(store, store.keys(), [], tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="a file stands where a folder must be"):
        export_store(store, store.keys(), [], tmp_path / "file" / "x")


def test_an_import_of_a_folder_is_an_error_in_words(store, tmp_path):
    with pytest.raises(StoreError, match=f"^{tmp_path}: Is a directory$"):
        import_store(store, tmp_path)


def test_a_store_where_a_file_stands_is_an_error_in_words(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StoreError, match=f"^{place}: a file stands where a folder must be"):
            Store(place)
