"""Apart: no row, and no group of rows, is in two splits; what has no file is carved from train."""

from dataclasses import dataclass
from pathlib import Path

from smalltune.core.errors import DataError
from smalltune.data.groups import carve_groups, drop_groups
from smalltune.data.splits import DevRule, Row, carve, drop_repeats

__all__ = ["Apart"]


@dataclass(frozen=True)
class Apart:
    """Rows by split, changed in place, with what was dropped and what there is to note of it.

    `group` is the column that says what a row belongs to.
    """

    rows: dict[str, list[Row]]
    group: str | None
    dropped: dict[str, int]
    notes: list[str]

    def drop(self, role: str, held: str, path: Path) -> None:
        """Drop the rows of `role` whose words, or whose group, are in the split `held`."""
        none = "none to train on" if role == "train" else f"nothing for {role}"
        kept = drop_repeats(self.rows[role], self.rows[held])
        if not kept:
            raise DataError(
                f"{path}: every row of it is repeated in {held}, which leaves "
                f"{none}: are they one file?"
            )
        apart = drop_groups(kept, self.rows[held])
        if not apart:
            raise DataError(
                f"{path}: every {self.group} of it is in {held} too, which leaves {none}"
            )
        for reason, count in (
            (f"{role} rows repeated in {held}", len(self.rows[role]) - len(kept)),
            (f"{role} rows whose {self.group} is in {held}", len(kept) - len(apart)),
        ):
            if count:
                self.dropped[reason] = count
        self.rows[role] = apart

    def carve(self, role: str, rule: DevRule, path: Path, *, in_groups: bool) -> None:
        """Take dev or test out of train, row by row or in whole groups."""
        train = self.rows["train"]
        if rule.rows >= len(train):
            raise DataError(
                f"{path}: {role} wants {rule.rows} of {len(train)} rows and "
                f"leaves none to train on: lower `{role}: {{rows: ...}}` in the study"
            )
        carved = (carve_groups if in_groups else carve)(train, rule, role)
        self.rows.update({"train": carved.train, role: carved.dev})
        self.dropped.update(carved.dropped)
        if len(carved.dev) < rule.rows and rule.whole:
            self.notes.append(
                f"{role} holds {len(carved.dev)} rows and not {rule.rows}: no more rows of train "
                "are part of no other row"
            )
