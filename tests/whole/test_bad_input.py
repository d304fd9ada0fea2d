"""Bad input ends in one message that says what, where and what to do; nothing finished is lost."""

import json
import shutil
import subprocess
import sys

import pytest


def said(workshop, *words, code=1, store=None):
    """Run a verb; return what it says on stderr; it must fail without a traceback."""
    done = workshop(*words, store=store)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stderr + done.stdout


def line_of(workshop, text):
    lines = workshop.study.read_text().splitlines()
    return 1 + next(n for n, line in enumerate(lines) if text in line)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds:", "seedz:", "unknown key 'seedz'. Did you mean 'seeds'?"),
        ("  lora:", "  lorra:", "no method 'lorra'. Did you mean 'lora'?"),
        ("epochs: 2", "epochs: two", "training: epochs must be a whole number, not 'two'"),
        ("train: train.jsonl", "train: trian.jsonl", "no file 'trian.jsonl' in {folder}/"),
        ("- accuracy", "- acuracy", "no metric 'acuracy'. Did you mean 'accuracy'?"),
        ("lora - full", "lora - ful", "no method 'ful' in this study. Did you mean 'full'?"),
    ],
)
def test_the_study_file_is_checked_with_line_and_nearest_name(workshop, old, new, message):
    workshop.study.write_text(workshop.study.read_text().replace(old, new, 1))
    expected = f"study.yaml:{line_of(workshop, new)}: " + message.format(
        folder=workshop.folder.name
    )
    assert expected in said(workshop, "plan", "--no-forecast").splitlines()


def test_a_label_outside_the_label_words_fails_with_file_and_row(workshop):
    path = workshop.folder / "train.jsonl"
    path.write_text(path.read_text() + json.dumps({"text": "odd", "y": 7}) + "\n")
    message = f"{path}, row 41: the label 7 is not among the study's labels: 0, 1"
    assert message in said(workshop, "run")


def test_a_missing_column_fails_with_the_columns_there_are(workshop):
    workshop.content["tasks"]["own"] |= {"text": "body", "prompt": "{body}\nIt was"}
    message = f"{workshop.folder}/train.jsonl: no column 'body'; the columns are: text, y"
    assert message in said(workshop.write(), "run")


def test_an_empty_split_fails_with_its_file(workshop):
    (workshop.folder / "test.jsonl").write_text("")
    assert f"{workshop.folder}/test.jsonl: the test split is empty" in said(workshop, "run")


def test_a_truncated_checkpoint_is_refused_before_anything_runs(workshop, tiny_folder):
    broken = workshop.folder / "broken"
    shutil.copytree(tiny_folder, broken)
    data = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(data[: len(data) // 2])
    workshop.content["models"]["tiny"]["source"] = "./broken"
    message = said(workshop.write(), "run")
    assert "broken/model.safetensors" in message
    assert "truncated" in message
    assert not workshop.files("prepare", "facts.json")


def test_a_pickled_checkpoint_is_refused(workshop, tiny_folder):
    import torch

    folder = workshop.folder / "pickled"
    shutil.copytree(tiny_folder, folder)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    workshop.content["models"]["tiny"]["source"] = "./pickled"
    message = said(workshop.write(), "run")
    assert "pytorch_model.bin" in message
    assert "safetensors" in message


def test_changed_data_are_noticed_and_the_remedy_is_named(workshop):
    workshop.write(methods={"majority": {"why": "x"}}, contrasts=[]).run()
    path = workshop.folder / "train.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    message = said(workshop, "run")
    assert "train.jsonl" in message
    assert "smalltune lock" in message
    assert workshop("lock").returncode == 0
    assert len(workshop.run()["done"]) > 0


def test_a_truncated_artifact_is_named_and_repaired(workshop):
    workshop.write(methods={"tfidf": {"why": "x"}}, contrasts=[]).run()
    (path,) = workshop.store.glob("artifacts/*/*/train.jsonl")
    path.write_bytes(path.read_bytes()[:100])
    message = said(workshop, "run")
    assert f"damaged artifact {path.parent}: train.jsonl has 100 bytes" in message
    assert "smalltune store check" in message
    assert "train.jsonl" in said(workshop, "store", "check")
    assert workshop("store", "check", "--repair").returncode == 0
    assert workshop.run()["done"] == [path.parent.name]
    assert workshop("store", "check").returncode == 0


UNSHARE = ["unshare", "--mount", "--map-root-user"]


@pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode != 0,
    reason="mounting a small disk needs user namespaces",
)
def test_a_full_disk_is_one_message_and_keeps_what_was_finished(workshop):
    """The store lies on a tmpfs of 400 kB; with more room the same store goes on."""
    disk, kept = workshop.folder / "disk", workshop.folder / "kept"
    disk.mkdir()
    run = " ".join(f"'{word}'" for word in workshop.command("run", store=disk / "store"))
    script = (
        f"mount -t tmpfs -o size=400k none '{disk}' && {run}; code=$?; "
        f"cp -r '{disk}/store' '{kept}'; exit $code"
    )
    command = [*UNSHARE, "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert "the disk is full: free some space; then run again. What was finished is kept" in said
    assert "Traceback" not in said
    finished = {path.parent.name for path in kept.glob("artifacts/*/*/manifest.json")}
    assert finished
    report = workshop.run(store=kept)
    assert len(report["done"]) == 34 - len(finished)
    assert not finished & set(report["done"])


def test_hostile_text_is_shown_and_never_run(workshop):
    """In data, label words (and so predictions), title and reasons."""
    secret = workshop.folder / "secret.txt"
    secret.write_text("do not print this line")
    evil = [
        rf"\input{{{secret}}}",
        r"\immediate\write18{touch owned}",
        "100% of _all_ #1 & ~tilde^ {brace} $x$",
        "emoji \U0001f600 and \u05e9\u05dc\u05d5\u05dd and \u202eright-to-left",
    ]
    rows = [{"text": text, "y": n % 2} for n, text in enumerate(evil)]
    (workshop.folder / "test.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    workshop.content["tasks"]["own"]["labels"] = {"0": rf"\input{{{secret}}}", "1": "50%_ok"}
    workshop.write(title=r"A title with \input{/etc/passwd} and 50% _more_").run()
    done = workshop("paper")
    assert done.returncode == 0, done.stdout + done.stderr
    sources = (workshop.folder / "paper").rglob("*.tex")
    tex = "".join(path.read_text() for path in sources)
    assert r"\input{/etc" not in tex
    assert rf"\input{{{secret}" not in tex
    assert r"\immediate" not in tex
    assert "U+1F600" in tex
    assert "U+05E9" in tex
    assert "U+202E" in tex
    assert not list(workshop.folder.rglob("owned"))
    if shutil.which("pdftotext"):
        command = ["pdftotext", str(workshop.folder / "paper" / "paper.pdf"), "-"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert "do not print this line" not in text
        assert "root:" not in text
        assert "100% of _all_ #1 & ~tilde" in " ".join(text.split())


def test_without_latex_the_sources_are_written_and_the_way_to_a_pdf_is_said(workshop):
    workshop.run()
    command = workshop.command("paper")
    bare = {"PATH": f"{shutil.os.path.dirname(sys.executable)}", "HOME": str(workshop.folder)}
    done = subprocess.run(command, capture_output=True, text=True, env=bare, check=False)
    assert done.returncode == 0, done.stderr
    assert "latex" in (done.stdout + done.stderr).lower()
    assert (workshop.folder / "paper" / "paper.tex").is_file()
    assert not (workshop.folder / "paper" / "paper.pdf").exists()
    bundled = subprocess.run(
        workshop.command("bundle"), capture_output=True, text=True, env=bare, check=False
    )
    assert bundled.returncode == 0, bundled.stderr
    assert (workshop.folder / "submission.zip").is_file()
