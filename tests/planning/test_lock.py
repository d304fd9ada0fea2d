"""The lock: names are pinned once, and what changes afterwards is noticed."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from smalltune.core.errors import StudyError
from smalltune.planning.checkpoints import facts, read_checkpoint
from smalltune.planning.lock import lock_path, read_lock
from smalltune.planning.locking import changes, lock_anew, lock_in_force


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
    assert lock.tasks["own"]["train"].path == "data/train.csv"
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
    assert lock.tasks["reviews"]["test"].path == "embedded:reviews/test.jsonl"


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
    assert refusal(bureau).startswith("study.lock: cannot be read (")
    assert lock_anew(bureau.read()).models


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


class Hub(BaseHTTPRequestHandler):
    """As much of a model hub as locking asks for."""

    commit = "0123456789abcdef0123456789abcdef01234567"
    files = ("config.json", "model.safetensors", "tokenizer.json")

    def do_GET(self):
        model = {
            "id": "some/model", "modelId": "some/model", "sha": self.commit, "tags": [],
            "private": False, "downloads": 0, "likes": 0,
            "siblings": [{"rfilename": n, "blobId": n * 2, "size": 3} for n in self.files],
            "safetensors": {"parameters": {"F32": 36}, "total": 36},
        }  # fmt: skip
        config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 32}
        if self.path.partition("?")[0] == "/api/models/some/model":
            self.reply(200, json.dumps(model).encode())
        elif self.path.startswith("/some/model/resolve/") and self.path.endswith("config.json"):
            self.reply(200, json.dumps(config).encode())
        elif self.path.startswith("/api/models/some/model"):
            self.reply(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        else:
            self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    do_HEAD = do_GET

    def reply(self, status, body, headers=()):
        self.send_response(status)
        for name, value in {**dict(headers), "ETag": '"1"', "X-Repo-Commit": self.commit}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def lock_command(bureau, tmp_path, **environment):
    bureau.file.write_text(bureau.text)
    here = os.path.join(os.path.dirname(__file__), "plugins")
    paths = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "PYTHONPATH": paths, **environment}
    command = [sys.executable, "-m", "smalltune", "lock", str(bureau.file)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def test_a_hub_name_is_pinned_to_its_commit_and_then_needs_no_hub(bureau, tmp_path, hub):
    bureau.replace("source: ./base", "source: some/model")
    done = lock_command(bureau, tmp_path, HF_ENDPOINT=hub, HF_HUB_OFFLINE="0")
    assert done.returncode == 0, done.stderr
    lock, _ = lock_in_force(bureau.read())
    assert lock.models["tiny"].ref == f"hub:some/model@{Hub.commit}"
    assert (lock.models["tiny"].context, lock.models["tiny"].parameters) == (32, 36)
    train = next(job for job in bureau.plan().jobs() if job.stage == "train")
    assert train.spec["model"] == Hub.commit


@pytest.mark.parametrize(
    ("source", "revision", "offline", "said"),
    [
        ("no/model", None, "0", "no/model: the hub has no such model, or it is private"),
        ("some/model", "v9", "0", "some/model: the hub has no revision 'v9' of it"),
        ("some/model", None, "1", "some/model: HF_HUB_OFFLINE is set"),
    ],
)
def test_what_the_hub_does_not_give_is_one_clear_message(
    bureau, tmp_path, hub, source, revision, offline, said
):
    more = f", revision: {revision}" if revision else ""
    bureau.replace("source: ./base", f"source: {source}{more}")
    done = lock_command(bureau, tmp_path, HF_ENDPOINT=hub, HF_HUB_OFFLINE=offline)
    assert done.returncode == 1
    assert done.stderr.startswith(f"study.yaml:4: {said}"), done.stderr
    assert "Traceback" not in done.stderr


def test_a_hub_that_does_not_answer_is_named(bureau, tmp_path):
    bureau.replace("source: ./base", "source: some/model")
    done = lock_command(bureau, tmp_path, HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="0")
    assert done.stderr.startswith("study.yaml:4: some/model: http://127.0.0.1:9 does not answer")
