"""Weather: reports put together from facts by rule, a data-to-text table of one's own.

Facts are written as E2E writes them, so that slots can be counted. Nothing here was observed.
"""

import random

__all__ = ["reports"]

PLACES = ("Alder Bay", "Birch Hill", "Cold Ford", "Dunmore", "Elm Cross", "Fernley", "Gull Point",
          "Harrow Down", "Ivybridge", "Juniper Flat", "Kestrel Head", "Long Marsh")  # fmt: skip
SAID = {
    "sky": (
        ("sunshine", "cloud", "rain", "fog", "snow", "hail"),
        ("{} all day", "{} for most of the day", "{} until the evening"),
    ),
    "wind": (
        ("north wind", "south wind", "west wind", "sea breeze"),
        ("a {}", "a fresh {}", "a {} from noon on"),
    ),
    "high": (
        tuple(f"{degrees} degrees" for degrees in range(2, 30, 3)),
        ("at most {}", "{} in the afternoon", "up to {}"),
    ),
    "warning": (("frost", "flood", "fire"), ("take care, there is a {} warning",)),
}
FIRST = ("{} expects {}.", "In {} there will be {}.", "The outlook for {}: {}.")


def reports(count: int, seed: int) -> list[dict[str, str]]:
    """Return rows of facts and a report that says them; no facts twice."""
    rng = random.Random(seed)
    found: dict[str, str] = {}
    while len(found) < count:
        place = rng.choice(PLACES)
        slots = sorted(rng.sample(list(SAID), rng.randint(2, 4)), key=list(SAID).index)
        values = {slot: rng.choice(SAID[slot][0]) for slot in slots}
        said = [rng.choice(SAID[slot][1]).format(value) for slot, value in values.items()]
        listed = f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0]
        facts = ", ".join(f"{slot}[{value}]" for slot, value in {"place": place, **values}.items())
        found.setdefault(facts, rng.choice(FIRST).format(place, listed))
    return [{"facts": facts, "report": text} for facts, text in found.items()]
