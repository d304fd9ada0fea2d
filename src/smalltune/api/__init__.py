"""The objects a user holds: a study, its trials, and what each verb of the command line does."""

from smalltune.api.study import Study, load
from smalltune.api.trials import StudyTrial

__all__ = ["Study", "StudyTrial", "load"]
