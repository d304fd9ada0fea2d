"""A frozen base in bfloat16 is a choice of the study, and in the keys of those that make it."""

import pytest

from smalltune.core.errors import StudyError
from smalltune.planning.locking import lock_in_force
from smalltune.planning.planner import plan


def jobs(study):
    """Return the keys and the specs of a study's jobs by stage."""
    found = {}
    for job in plan(study, lock_in_force(study)[0]).jobs():
        found.setdefault(job.stage, {})[job.key] = job.spec
    return found


def test_only_what_asks_a_model_depends_on_how_it_is_held(bureau):
    plain, named, held = (
        jobs(bureau.read(*change))
        for change in ((), ("base_dtype=float32",), ("base_dtype=bfloat16",))
    )
    assert plain == named
    assert not any("base_dtype" in s for stage in plain.values() for s in stage.values())
    for stage in ("train", "predict"):
        assert plain[stage] and not plain[stage].keys() & held[stage].keys()
        assert {spec["base_dtype"] for spec in held[stage].values()} == {"bfloat16"}
    for stage in ("prepare", "tokens", "classify"):
        assert plain[stage] == held[stage]


def test_a_method_that_trains_the_base_is_refused_with_its_line(bureau):
    bureau.text = bureau.text.replace("fake.trainer", "full") + "base_dtype: bfloat16\n"
    line = len(bureau.text.splitlines())
    with pytest.raises(StudyError) as caught:
        bureau.read()
    assert f"study.yaml:{line}: tuned would train weights in bfloat16" in str(caught.value)
    assert "leave `base_dtype` out" in str(caught.value)


def test_a_format_that_is_none_is_refused(bureau):
    with pytest.raises(StudyError, match="base_dtype must be one of 'float32' or 'bfloat16'"):
        bureau.read("base_dtype=int8")
