"""Make the embedded data set of walks: facts and texts that say them, from a grammar.

    .venv/bin/python tools/walks.py [src/smalltune/embedded/walks]

A set of facts is drawn, then texts are put together for it: an order of the facts, a voice, and for
each fact one of several wordings. Every fact is said once and nothing else is. The same call writes
the same bytes; splits share no set of facts and no name of a walk.
"""

import json
import random
import sys
from pathlib import Path

SEED = 20
SETS = {"train": (200, 2), "dev": (40, 2), "test": (100, 3)}  # sets of facts, texts of each

FIRST = (
    "Miller's", "Heron", "Fox", "Bell", "Abbot's", "Cutler's", "Amber", "Juniper", "Kestrel",
    "Tinker's", "Wren", "Rook", "Salter's", "Barley", "Chandler's", "Otter", "Linden", "Quarry",
)  # fmt: skip
SECOND = ("Way", "Loop", "Round", "Trail", "Path")
REGIONS = (
    "Orrin Dale", "Sable Moor", "Upper Teal", "the Marl Hills", "Caddon Forest", "Westrey",
    "the Ivel Marshes", "Brennock", "Hollin Vale", "Skerry Head",
)  # fmt: skip
KILOMETRES = (2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 16, 18)
TERRAINS = ("flat", "rolling", "steep", "stony")
SIGHTS = (
    "an old watermill", "a waterfall", "a stone bridge", "a lookout tower", "a ruined chapel",
    "a lily pond", "an oak avenue", "a lighthouse",
)  # fmt: skip
SEASONS = ("spring", "early summer", "autumn", "winter")

OPENINGS = (
    "{name} is {a_terrain}{distance}walk{in_region}",
    "{name} takes you over {terrain}ground{for_distance}{in_region}",
    "If you have boots, try {name}, {a_terrain}{distance}route{in_region}",
    "We did {name} on Sunday: {a_terrain}{distance}walk{in_region}",
    "Walkers know {name} as {a_terrain}{distance}trip{in_region}",
    "{name}: {a_terrain}{distance}way on foot{in_region}",
)
WORDINGS = {
    "sight": (
        "On the way you pass {sight}", "Halfway round stands {sight}", "Watch for {sight}",
        "It is worth it for {sight} alone", "Near the end you come to {sight}",
    ),
    "season": (
        "It is at its best in {season}", "Go in {season} if you can",
        "Most people come in {season}", "In {season} it is a joy", "We would pick {season} for it",
    ),
    "dogs yes": (
        "Dogs are welcome", "You may bring dogs", "Dogs can come along",
        "It is a walk for dogs too",
    ),
    "dogs no": (
        "No dogs, please", "It is not open to dogs", "You will have to do it without dogs",
    ),
    "parking yes": (
        "There is parking at the start", "You will find parking by the first gate",
        "Parking is easy", "It has parking for a dozen cars",
    ),
    "parking no": (
        "There is no parking at the start", "It has no parking, so take the bus",
        "You start without parking, from the bus stop",
    ),
}  # fmt: skip
JOINTS = (". ", ". ", ". ", "; ")


def main(folder: Path) -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl."""
    rng = random.Random(SEED)
    names = [f"{first} {second}" for first in FIRST for second in SECOND]
    rng.shuffle(names)
    begin = 0
    for split, (sets, texts) in SETS.items():
        share = len(names) * sets // sum(count for count, _ in SETS.values())
        mine, begin = names[begin : begin + share], begin + share
        lines = []
        for number, facts in enumerate(_sets(rng, mine, sets), 1):
            shown = ", ".join(f"{slot}[{value}]" for slot, value in facts.items())
            for which, text in enumerate(_texts(rng, facts, texts), 1):
                lines.append({"id": f"{split}-{number}-{which}", "facts": shown, "text": text})
        path = folder / f"{split}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _sets(rng: random.Random, names: list[str], count: int) -> list[dict[str, str]]:
    """Return so many different sets of three to eight facts, each with a name."""
    found: dict[str, dict[str, str]] = {}
    while len(found) < count:
        whole = {
            "region": rng.choice(REGIONS),
            "distance": f"{rng.choice(KILOMETRES)} km",
            "terrain": rng.choice(TERRAINS),
            "sight": rng.choice(SIGHTS).split(" ", 1)[1],
            "season": rng.choice(SEASONS),
            "dogs": rng.choice(("yes", "no")),
            "parking": rng.choice(("yes", "no")),
        }
        kept = set(rng.sample(sorted(whole), rng.randint(2, len(whole))))
        facts = {"name": rng.choice(names)} | {k: v for k, v in whole.items() if k in kept}
        found.setdefault(json.dumps(facts), facts)
    return list(found.values())


def _texts(rng: random.Random, facts: dict[str, str], count: int) -> list[str]:
    """Return so many different texts that say the facts."""
    found: dict[str, None] = {}
    while len(found) < count:
        found.setdefault(_text(rng, facts))
    return list(found)


def _text(rng: random.Random, facts: dict[str, str]) -> str:
    opening = _opening(rng, facts)
    rest = []
    for slot in ("sight", "season", "dogs", "parking"):
        if slot not in facts:
            continue
        value = facts[slot]
        key = f"{slot} {value}" if value in ("yes", "no") else slot
        sight = next((each for each in SIGHTS if each.split(" ", 1)[1] == value), "")
        rest.append(rng.choice(WORDINGS[key]).format(sight=sight, season=value))
    rng.shuffle(rest)
    text = opening
    for sentence in rest:
        joint = rng.choice(JOINTS)
        text += joint + (sentence if joint == ". " else sentence[0].lower() + sentence[1:])
    return text + "."


def _opening(rng: random.Random, facts: dict[str, str]) -> str:
    """Return the first clause: the name with where, how far and over what ground, if known."""
    terrain, distance = facts.get("terrain", ""), facts.get("distance", "")
    first = terrain or distance
    article = "an" if first.startswith(("8", "11", "18")) else "a"
    return rng.choice(OPENINGS).format(
        name=facts["name"],
        a_terrain=f"{article} {terrain} " if terrain else f"{article} ",
        terrain=f"{terrain} " if terrain else "good ",
        distance=f"{distance} " if distance else "",
        for_distance=f" for {distance}" if distance else "",
        in_region=f" in {facts['region']}" if "region" in facts else "",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "src/smalltune/embedded/walks"))
