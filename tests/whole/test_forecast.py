"""A forecast from the command line: measured once, kept, and held against what then happened."""

import json
import math

import pyarrow.parquet


def measurings(workshop):
    """Return the measurings in the store, by key, with the bytes of what they found."""
    return workshop.files("measure", "measured.json")


def test_a_study_is_forecast_once_and_its_results_say_how_well(workshop):
    methods = {name: {"why": "To compare."} for name in ("majority", "lora")}
    workshop.write(methods=methods, contrasts=[])
    skipped = workshop("plan", "--no-forecast")
    assert skipped.returncode == 0 and "in all" not in skipped.stdout
    assert not measurings(workshop)

    first = workshop("plan")
    assert first.returncode == 0, first.stderr
    assert "measuring 2 kinds of trials" in first.stderr
    assert "tiny/lora/own" in first.stdout and "in all: about " in first.stdout
    found = measurings(workshop)
    assert len(found) == 2 and not workshop.files("train", "facts.json")

    again = workshop("plan", "--json")
    assert "measuring" not in again.stderr and measurings(workshop) == found
    told = json.loads(again.stdout)["forecast"]
    trials = {"-/majority/own/-", "tiny/lora/own/0", "tiny/lora/own/1"}
    assert told["trials"].keys() == trials
    assert all(
        each[name] > 0 for each in told["trials"].values() for name in ("seconds", "peak", "stored")
    )

    workshop.run()
    results = workshop("results")
    assert results.returncode == 0, results.stderr
    for kind in ("time", "peak memory", "stored bytes"):
        assert f"forecast {kind}: " in results.stdout
    table = pyarrow.parquet.read_table(workshop.folder / "results" / "costs.parquet").to_pylist()
    for row in table:
        for name in ("seconds", "peak_memory_bytes", "stored_bytes"):
            assert row[f"forecast_{name}"] > 0 and math.isfinite(row[name])
    one = next(row for row in table if row["trial"] == "tiny/lora/own/1")
    assert one["forecast_seconds"] == told["trials"]["tiny/lora/own/1"]["seconds"]

    done = json.loads(workshop("plan", "--json").stdout)["forecast"]
    assert done["rows"] == [] and done["trials"] == {} and measurings(workshop) == found
    assert json.loads((workshop.store / "forecasts" / "tiny.json").read_text())[
        "trials"
    ].keys() == (trials)


def test_a_base_beyond_the_memory_is_refused_by_plan_and_run_with_the_numbers(workshop):
    base = workshop.folder / "huge"
    base.mkdir()
    tiny = workshop.folder / workshop.content["models"]["tiny"]["source"]
    config = json.loads((tiny / "config.json").read_text())
    config |= {"hidden_size": 65536, "intermediate_size": 262144, "num_hidden_layers": 200}
    (base / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).write_bytes((tiny / name).read_bytes())
    workshop.write(
        models={"huge": {"config": "./huge", "why": "It is large."}},
        methods={"lora": {"why": "It trains little."}},
        contrasts=[],
    )
    for verb in ("plan", "run"):
        done = workshop(verb)
        said = done.stdout + done.stderr
        assert "parameters take" in said and "this machine has" in said and "smaller model" in said
        assert (done.returncode == 0) == (verb == "plan")
    assert not list(workshop.store.glob("artifacts/*/*"))
