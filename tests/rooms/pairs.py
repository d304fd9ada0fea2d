"""Every method, and every gradient method with each family that it takes."""

import importlib.util
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
import torch
from rooms.families import FAMILIES, folder_of

from smalltune.core.errors import MethodError
from smalltune.core.plugins import load, names
from smalltune.engine.quantised import quantise
from smalltune.engine.segments import Segments
from smalltune.engine.training import Training, train
from smalltune.models.loading import load_model

METHODS = [load("smalltune.methods", name) for name in names("smalltune.methods")]
GRADIENT = [method for method in METHODS if method.trains]


def lacking(method):
    """Return the marks that skip a method whose packages are not installed."""
    absent = [name for name in method.needs if importlib.util.find_spec(name) is None]
    return [pytest.mark.skip(reason=f"{name} is not installed") for name in absent]


def base_of(method, family):
    """Return a family's model as the method takes it."""
    model = load_model(folder_of(family))
    if form := method().quantised():
        quantise(model, form)
    return model


def fits(method, family):
    """Return whether a method takes a family; one that does not says what to choose instead."""
    try:
        method().parameters(load_model(folder_of(family)))
    except MethodError as error:
        assert "choose `" in str(error)
        return False
    return True


PAIRS = [
    pytest.param(method, family, id=f"{method.__name__}-{family}", marks=lacking(method))
    for method in GRADIENT
    for family in FAMILIES
    if fits(method, family)
]


def data():
    rng = np.random.default_rng(5)
    return Segments.of([rng.integers(1, 99, size=10) for _ in range(32)], [5] * 32, [0] * 32)


def fit(method, family, *, seed=0, steps=15):
    model = base_of(type(method), family)
    torch.manual_seed(seed)
    method.attach(model)
    log, _ = train(
        model,
        data(),
        None,
        Training(steps=steps, learning_rate=3 * method.training["learning_rate"], batch_size=8),
        seed=seed,
        dtype="float32",
        work=Path(mkdtemp()),
        checkpoint_seconds=60.0,
        progress=lambda event: None,
    )
    return model.eval(), [row["loss"] for row in log]
