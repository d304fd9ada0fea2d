"""What rows rule out is said before anything runs, with a row and what to do."""

import json
import shutil

import pytest
import yaml
from typer.testing import CliRunner

from smalltune import api
from smalltune.cli.commands import app

STRICT = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}] {{ m.content }}\n"
    "{% endfor %}{% if add_generation_prompt %}[assistant]\n{% endif %}"
)
FREE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEXTS = {"s": "system", "u": "user", "a": "assistant"}


def talk(roles, name):
    return {"messages": [{"role": TEXTS[r], "content": f"{name} {n}"} for n, r in enumerate(roles)]}


@pytest.fixture
def study(tmp_path, tiny_folder):
    """Write a study of conversations of these roles, the answer included; return its file."""

    def write(roles, template=FREE, methods=("zero_shot",), chat=True, **options):
        base = tmp_path / "base"
        shutil.copytree(tiny_folder, base, dirs_exist_ok=True)
        (base / "chat_template.jinja").write_text(template)
        files = {}
        for role in ("train", "dev", "test"):
            files[role] = f"{role}.jsonl"
            rows = [talk("ua", f"{role} {n}") for n in range(6)]
            rows += [talk(each, f"{role} x{n}") for n, each in enumerate(roles)]
            (tmp_path / files[role]).write_text("".join(json.dumps(row) + "\n" for row in rows))
        content = {
            "models": {"tiny": {"source": "./base", "chat": chat}},
            "tasks": {"chats": {"kind": "instructions", "files": files, "longest": 8, **options}},
            "methods": {name: {} for name in methods},
            "seeds": [0],
        }
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
        (tmp_path / "study.lock").unlink(missing_ok=True)
        return tmp_path / "study.yaml"

    return write


def said(file, verb="plan"):
    words = {"plan": ["--no-forecast"], "run": ["--until", "prepare"], "lock": []}[verb]
    done = CliRunner().invoke(app, [verb, str(file), "--store", str(file.parent / "store"), *words])
    assert "Traceback" not in done.output
    return "" if done.exit_code == 0 else done.output


@pytest.mark.parametrize("verb", ["lock", "run"])
def test_turns_that_a_template_refuses_are_named_with_their_row(study, verb):
    file = study(["uaua", "suua"], STRICT)
    found = said(file, verb)
    line = 1 + file.read_text().splitlines().index("  chats:")
    assert found.startswith(f"study.yaml:{line}: ") and "dev.jsonl, row 8: " in found
    assert "its chat template does not take the turns user, user (roles must alternate)" in found
    assert "say `chat: false`, or drop the rows whose turns are like those of this one" in found
    assert len(found.strip().splitlines()) == 1
    assert not list((file.parent / "store").glob("artifacts/*/*"))


def test_what_a_template_takes_with_the_systems_text_elsewhere_is_no_problem(study):
    assert said(study(["suaua", "saua", "aua"], STRICT)) == ""
    assert said(study(["suua"], STRICT, chat=False)) == ""
    assert said(study(["suua"], STRICT, prompt="{instruction}{input}:")) == ""
    assert said(study(["suua"], FREE)) == ""


def test_a_template_whose_end_of_turn_is_no_token_is_refused_where_an_end_is_learned(study):
    text = FREE.replace("{% endfor %}", "<|im_end|>\n{% endfor %}")
    file = study([], text)
    found = said(file, "run")
    line = 1 + file.read_text().splitlines().index("    chat: true")
    assert found.startswith(f"study.yaml:{line}: ") and len(found.strip().splitlines()) == 1
    assert "its chat template ends an answer with '<|im_end|>', for which its tokeniser" in found
    assert "add the token to the tokeniser, or say `chat: false`" in found
    assert not list((file.parent / "store").glob("artifacts/*/*"))
    assert said(study([], text, chat=False)) == ""
    content = yaml.safe_load(study([], text).read_text())
    for answered in ("chosen", "written"):
        content["tasks"] = {"reviews": {"answered": answered}}
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        assert bool(said(file)) is (answered == "written")


def test_no_row_is_read_a_second_time(study, monkeypatch):
    from smalltune.planning import contents

    file = study(["suua"], STRICT)
    before = said(file)
    monkeypatch.setattr(contents, "_read", lambda path: pytest.fail("rows are read again"))
    monkeypatch.setattr(contents, "_answers", lambda *args: pytest.fail("it is asked again"))
    assert said(file) == before


def test_solved_items_before_a_conversation_with_a_system_turn_are_refused(study):
    file = study(["uaua", "sua"], methods=("zero_shot", "few_shot"))
    found = said(file)
    line = 1 + file.read_text().splitlines().index("  few_shot: {}")
    assert found.startswith(f"study.yaml:{line}: few_shot on chats: ")
    assert "dev.jsonl, row 8: the conversation begins with the system's turn" in found
    assert "keep the method off this task by `tasks:`, or say `chat: false`" in found
    assert said(study(["uaua"], methods=("few_shot",))) == ""
    assert said(study(["sua"], STRICT, methods=("few_shot",))) == ""  # it has no system's turn
    assert said(study(["sua"], methods=("few_shot",), chat=False)) == ""


def test_the_first_row_that_bars_solved_items_is_named(study):
    file = study(["uaua", "sua"], methods=("few_shot",))
    for name in ("train", "dev", "test"):
        rows = [talk("suaua", "x"), talk("ua", "y"), talk("sua", "z")]
        path = file.parent / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for _ in range(2):
        assert ".jsonl, row 1: the conversation begins with the system's turn" in said(file)


def spec_of(tmp_path, file, stage):
    jobs = api.load(file, tmp_path / "store").plan().jobs()
    return [job.spec for job in jobs if job.stage == stage]


def test_only_a_chats_question_says_that_reasoning_is_left_out(tmp_path, tiny_folder):
    base = tmp_path / "base"
    shutil.copytree(tiny_folder, base)
    (base / "chat_template.jinja").write_text(FREE)
    content = {
        "models": {n: {"source": "./base", "chat": n == "chat"} for n in ("chat", "plain")},
        "tasks": {"walks": {}, "reviews": {"answered": "written"}},
        "methods": {"zero_shot": {}},
        "seeds": [0],
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    specs = spec_of(tmp_path, tmp_path / "study.yaml", "predict")
    found = [spec["decoding"].get("thoughts") for spec in specs]
    assert len(found) == 8 and sorted(map(str, found)) == ["None"] * 4 + ["left out"] * 4
    read = {spec["decoding"].get("read") for spec in specs if spec["task"] == "reviews"}
    assert read == {"first line, whole, signs apart"}
