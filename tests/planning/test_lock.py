"""The lock: names are pinned once, and what changes afterwards is noticed."""

import json

import pytest

from smalltune.core.errors import StudyError
from smalltune.planning.checkpoints import facts, read_checkpoint
from smalltune.planning.lock import lock_path, read_lock
from smalltune.planning.locking import changes, lock_anew, lock_in_force

FILES = "files: {train: data/train.csv, dev: data/dev.csv, test: data/test.csv}"


def refusal(bureau) -> str:
    with pytest.raises(StudyError) as error:
        lock_in_force(bureau.read())
    return str(error.value)


def test_local_names_are_locked_by_the_first_plan(bureau):
    study = bureau.read()
    lock, warnings = lock_in_force(study)
    assert (lock, warnings) == (read_lock(lock_path(study.document.path)), [])
    assert lock.models["tiny"].parameters == 36
    assert lock.models["tiny"].ref == "path:./base"
    assert lock.tasks["own"].files["train"][0].path == "data/train.csv"
    assert lock.dtype == "float32"
    assert str(bureau.folder) not in lock_path(bureau.file).read_text()


def test_locking_again_changes_no_byte(bureau):
    lock_in_force(bureau.read())
    before = lock_path(bureau.file).read_bytes()
    lock_in_force(bureau.read())
    lock_anew(bureau.read())
    assert lock_path(bureau.file).read_bytes() == before


def test_changed_data_are_an_error_until_they_are_locked_again(bureau):
    keys = bureau.keys()
    (bureau.folder / "data" / "dev.csv").write_text("text,label\nanother,1\nand one,0\n")
    assert refusal(bureau) == (
        "study.lock: the dev data of 'own' (data/dev.csv) has changed since the study was locked. "
        "`smalltune lock STUDY` accepts the change; what it changes is then run again"
    )
    lock_anew(bureau.read())
    assert bureau.keys().isdisjoint(keys)


def test_a_changed_base_is_an_error_until_it_is_locked_again(bureau):
    lock_in_force(bureau.read())
    bureau.base({"a": [8, 4]})
    assert "study.lock: the model 'tiny' (path:./base) has changed" in refusal(bureau)
    assert lock_anew(bureau.read()).models["tiny"].parameters == 32


def test_a_task_that_is_new_in_the_study_is_added_to_the_lock(bureau):
    lock_in_force(bureau.read())
    bureau.replace("methods:\n", "  reviews:\nmethods:\n")
    lock, _ = lock_in_force(bureau.read())
    assert set(lock.tasks) == {"own", "reviews"}
    assert lock.tasks["reviews"].files["test"][0].path == "embedded:reviews/test.jsonl"


def test_a_pickled_checkpoint_is_refused(bureau):
    base = bureau.folder / "base"
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    assert refusal(bureau) == (
        f"study.yaml:4: {base}: only pytorch_model.bin, a pickle, which can run code when it is "
        "read. Save the model as safetensors: `model.save_pretrained(folder)`"
    )


def test_a_truncated_checkpoint_is_refused(bureau):
    file = bureau.folder / "base" / "model.safetensors"
    data = file.read_bytes()
    file.write_bytes(data[:-9])
    assert refusal(bureau) == (
        f"study.yaml:4: {file}: {len(data) - 9} bytes where its header promises {len(data)}: "
        "it is truncated. Get it again"
    )
    for rest in (b"", b"\x01", data[:30], b"not a checkpoint at all, but text"):
        file.write_bytes(rest)
        assert refusal(bureau) == (
            f"study.yaml:4: {file}: not a readable safetensors file: it is damaged or truncated. "
            "Get it again"
        )


def test_a_damaged_lock_is_named(bureau):
    lock_in_force(bureau.read())
    lock_path(bureau.file).write_text("{")
    assert refusal(bureau) == (
        "study.lock: cannot be read (it is not JSON). `smalltune lock STUDY` writes it anew"
    )
    assert lock_anew(bureau.read()).models


TRAIN = "tasks.own.files.train"
HUB = "hub:some/model@" + "0" * 40


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("environment", None, "environment: must be a JSON object"),
        ("environment.packages", 3, "environment.packages: must be a JSON object"),
        ("models", [], "models: must be a JSON object"),
        ("models.tiny", None, "models.tiny: must be a JSON object"),
        ("models.tiny.digest", 5, "models.tiny.digest: must be text"),
        ("models.tiny.digest", ..., "models.tiny.digest: is missing"),
        ("models.tiny.more", 5, "models.tiny.more: is unknown"),
        ("models.tiny.parameters", 1.5, "models.tiny.parameters: must be a whole number"),
        ("models.tiny.ref", HUB, "models.tiny.files: is missing"),
        ("models.tiny.ref", HUB[:-1], "models.tiny.ref: must be hub:OWNER/NAME@COMMIT"),
        (TRAIN, "data/train.csv", f"{TRAIN}: must be a list"),
        (f"{TRAIN}.0.bytes", "9", f"{TRAIN}.0.bytes: must be a whole number"),
        (f"{TRAIN}.0.sha256", ..., f"{TRAIN}.0.sha256: is missing"),
        ("dtype", "int8", "dtype: must be one of 'float32' or 'bfloat16'"),
        ("format", ..., "format: is missing"),
        ("more", 1, "more: is unknown"),
    ],
)
def test_a_lock_with_a_damaged_field_names_the_field(bureau, place, value, said):
    lock_in_force(bureau.read())
    path = lock_path(bureau.file)
    whole = json.loads(path.read_text())
    *way, last = [int(step) if step.isdecimal() else step for step in place.split(".")]
    inside = whole
    for step in way:
        inside = inside[step]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    path.write_text(json.dumps(whole))
    assert refusal(bureau) == (
        f"study.lock: cannot be read ({said}). `smalltune lock STUDY` writes it anew"
    )


@pytest.mark.parametrize("text", [b"[]", b"null", b"5", b"\xff\xfe", b"[" * 100_000])
def test_a_lock_that_is_no_json_object_is_named(bureau, text):
    lock_in_force(bureau.read())
    lock_path(bureau.file).write_bytes(text)
    assert refusal(bureau).startswith("study.lock: cannot be read (")


def test_a_lock_of_an_older_smalltune_says_how_it_is_renewed(bureau):
    lock_in_force(bureau.read())
    path = lock_path(bureau.file)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 1}))
    assert refusal(bureau) == (
        "study.lock: cannot be read (it has format 1, this smalltune reads 2). "
        "`smalltune lock STUDY` writes it anew"
    )
    assert lock_anew(bureau.read()) == read_lock(path)


def test_another_environment_is_a_remark_and_not_an_error(bureau):
    lock_in_force(bureau.read())
    path = lock_path(bureau.file)
    said = json.loads(path.read_text())
    said["environment"]["packages"]["torch"] = "1.0"
    path.write_text(json.dumps(said))
    _, warnings = lock_in_force(bureau.read())
    assert len(warnings) == 1 and warnings[0].endswith("locked with 1.0")
    assert changes(said["environment"], said["environment"]) == []


def test_a_models_size_and_shape_are_read_without_a_library(bureau):
    found = read_checkpoint(bureau.folder / "base")
    assert facts(found.config, found.parameters, found.dtype) == {
        "parameters": 36, "embedding_parameters": 32, "vocabulary": 8, "hidden": 4, "layers": 1,
        "context": 64, "dtype": "float32",
    }  # fmt: skip


def test_a_base_and_its_tokeniser_have_digests_of_their_own(bureau):
    before = read_checkpoint(bureau.folder / "base")
    bureau.base({"a": [8, 4]})
    after = read_checkpoint(bureau.folder / "base")
    assert before.tokeniser == after.tokeniser
    assert before.digest != after.digest


def test_a_hub_model_is_not_looked_up_before_it_is_locked(bureau):
    bureau.replace("source: ./base", "source: some/model")
    assert refusal(bureau) == (
        "study.yaml:4: some/model is not locked yet: run `smalltune lock STUDY` once "
        "(it asks the hub which commit is meant)"
    )


def test_data_of_the_hub_are_not_looked_up_before_they_are_locked(bureau):
    bureau.replace(FILES, "source: some/data")
    assert refusal(bureau) == (
        "study.yaml:6: some/data is not locked yet: run `smalltune lock STUDY` once "
        "(it asks the hub which commit is meant)"
    )


def test_a_part_that_is_new_in_a_folder_is_a_change(bureau):
    bureau.replace(FILES, "source: ./data")
    lock, _ = lock_in_force(bureau.read())
    assert [file.path for file in lock.tasks["own"].files["test"]] == ["./data/test.csv"]
    data = bureau.folder / "data"
    (data / "validation.csv").write_text("text,label\nnew one,0\nnew two,1\n")
    assert refusal(bureau) == (
        "study.lock: the data of 'own' (the files in ./data) has changed since the study was "
        "locked. `smalltune lock STUDY` accepts the change; what it changes is then run again"
    )
    assert set(lock_anew(bureau.read()).tasks["own"].files) == {"dev", "test", "train"}


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("multiple_choice", {"text": "text", "choices": "of", "answer": "label"}, "no column 'of'"),
        ("multiple_choice", {"text": "text", "choices": "text", "answer": "label"}, "the choices "),
        ("multiple_choice", {"text": "asked"}, "no column 'asked'"),
        ("classification", {"label": "y", "labels": {0: "bad", 1: "good"}}, "no column 'y'"),
        ("classification", {"labels": {"a": "bad", "b": "good"}}, "the label '0' is not among"),
        ("generation", {"reference": "summary"}, "no column 'summary'"),
        ("instructions", {}, "no instruction data: the columns are text, label"),
        ("language_modelling", {"text": "body"}, "no column 'body'"),
        (
            "generation",
            {"reference": "label", "metrics": ["slot_error_rate"]},
            "the item 'test-1' has no meaning representation",
        ),
    ],
)
def test_a_column_that_is_not_there_is_known_before_anything_runs(bureau, kind, options, said):
    files = {role: f"data/{role}.csv" for role in ("train", "dev", "test")}
    entry = {"kind": kind, "files": files, "why": "x", **options}
    start, end = bureau.text.index("  own:"), bureau.text.index("methods:")
    bureau.text = f"{bureau.text[:start]}  own: {json.dumps(entry)}\n{bureau.text[end:]}"
    bureau.text = bureau.text.partition("contrasts:")[0].replace(
        "floor: {method: fake.reader,", "x: {method: zero_shot,"
    )
    found = refusal(bureau)
    assert found.startswith("study.yaml:6: ") and ".csv" in found and said in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("answers", "metrics", "refused"),
    [
        (("привет мир", "до свидания"), ["rougeL", "chrf", "rouge1"], "rougeL, rouge1"),
        (("привет мир", "до свидания"), ["chrf", "token_f1", "exact_match", "bleu"], ""),
        (("привет мир", "до 7"), ["rougeL"], "rougeL"),
        (("привет мир", "one word more"), ["rougeL"], ""),
        (("今天天气很好。", "ÉÈ"), ["rougeL"], "rougeL"),
    ],
)
def test_a_metric_that_cannot_see_most_of_the_references_is_refused(
    bureau, answers, metrics, refused
):
    for role in ("train", "dev", "test"):
        lines = [f"{role} {n},{answer}\n" for n, answer in enumerate(answers)]
        (bureau.folder / "data" / f"{role}.csv").write_text("text,said\n" + "".join(lines))
    entry = {
        "kind": "generation",
        "files": {role: f"data/{role}.csv" for role in ("train", "dev", "test")},
        "reference": "said",
        "metrics": metrics,
    }
    start, end = bureau.text.index("  own:"), bureau.text.index("methods:")
    bureau.text = f"{bureau.text[:start]}  own: {json.dumps(entry)}\n{bureau.text[end:]}"
    bureau.text = bureau.text.partition("contrasts:")[0].replace(
        "floor: {method: fake.reader,", "x: {method: zero_shot,"
    )
    if not refused:
        assert "own" in lock_in_force(bureau.read())[0].tasks
        return
    assert refusal(bureau) == (
        f"study.yaml:6: {bureau.folder / 'data/test.csv'}: of the letters in the references of the "
        f"first 2 test rows, {refused} can count less than half. ROUGE counts the letters a to z "
        "and digits alone: "
        "name chrf, exact_match or token_f1 under `metrics`"
    )


def test_running_text_with_a_test_file_and_no_dev_file_is_refused_with_its_line(bureau):
    files = {role: f"data/{role}.csv" for role in ("train", "test")}
    entry = {"kind": "language_modelling", "files": files}
    start, end = bureau.text.index("  own:"), bureau.text.index("methods:")
    bureau.text = f"{bureau.text[:start]}  own: {json.dumps(entry)}\n{bureau.text[end:]}"
    bureau.text = bureau.text.partition("contrasts:")[0].replace(
        "floor: {method: fake.reader,", "x: {method: zero_shot,"
    )
    found = refusal(bureau)
    assert found.startswith("study.yaml:6: tasks.own: running text has files of train, dev and")


def test_every_file_of_a_role_is_locked_in_its_order(bureau):
    data = bureau.folder / "data"
    (data / "more.csv").write_text("text,label\nmore one,0\nmore two,1\n")
    bureau.replace("train: data/train.csv", "train: [data/train.csv, data/more.csv]")
    lock, _ = lock_in_force(bureau.read())
    digests = [file.sha256 for file in lock.tasks["own"].files["train"]]
    prepare = next(job for job in bureau.plan().jobs() if job.stage == "prepare")
    assert prepare.spec["files"]["train"] == digests and len(set(digests)) == 2
    assert prepare.sources["train/1"] == str(data / "more.csv")
    assert set(prepare.sources) == {"dev/0", "test/0", "train/0", "train/1"}
    keys = bureau.keys()
    bureau.replace("[data/train.csv, data/more.csv]", "[data/more.csv, data/train.csv]")
    assert bureau.keys().isdisjoint(keys)
