"""Errors a user can act on. Each says what is wrong, where, and what to do."""

__all__ = [
    "DataError",
    "EngineError",
    "LatexError",
    "MethodError",
    "ModelError",
    "SmalltuneError",
    "StoreError",
    "StudyError",
]


class SmalltuneError(Exception):
    """Base of all errors raised on purpose; its text is shown without a traceback."""


class StudyError(SmalltuneError):
    """The study file asks for something that does not exist or cannot work."""


class DataError(SmalltuneError):
    """A data file is missing, unreadable, or holds what the task cannot use."""


class ModelError(SmalltuneError):
    """A checkpoint is missing, unreadable, or of a kind that is not loaded."""


class MethodError(SmalltuneError):
    """A method cannot be applied to this model or task."""


class EngineError(SmalltuneError):
    """Training or evaluation went wrong: the loss is not a number, a frozen base changed."""


class StoreError(SmalltuneError):
    """The store cannot be read or written: damaged artifact, full disk, no permission."""


class LatexError(SmalltuneError):
    """The paper does not compile, or says something that it may not say."""
