"""The hub: what a name on the Hugging Face hub means, and its files, each checked by its digest.

`smalltune lock` pins: a name becomes a commit and the SHA-256 of every file that is used. A run
fetches what it lacks before its jobs start; the jobs themselves only look into the cache. So a
study whose files are cached needs no network, and changed or damaged bytes are found.

The hub's own clients do the work, and their environment variables hold: HF_ENDPOINT, HF_HOME,
HF_TOKEN, HF_HUB_OFFLINE. SMALLTUNE_HUB_WAIT is ours: the seconds before the first repetition of a
request that failed on the way (default 1; each further wait is twice as long).
"""

from smalltune.hub.fetching import cached, fetch_file, fetch_model
from smalltune.hub.models import PinnedModel, pin_model
from smalltune.hub.tables import PinnedData, PinnedFile, pin_data

__all__ = [
    "PinnedData",
    "PinnedFile",
    "PinnedModel",
    "cached",
    "fetch_file",
    "fetch_model",
    "pin_data",
    "pin_model",
]
