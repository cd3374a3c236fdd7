"""Which cells a run trained on and which it held out, as it is written down beside the network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_all.errors import InputError
from edge_all_export.datasets.samples import Sample
from edge_all_export.splitting.splits import Split

__all__ = ["RecordedSide", "RecordedSplit"]


@dataclass(frozen=True, slots=True)
class RecordedSide:
    """One side of a split.

    Attributes:
        blocks: names of the blocks that its cells are of.
        samples: names of the cells, in the order of the data.
    """

    blocks: frozenset[str]
    samples: tuple[str, ...]

    def having(self, samples: Sequence[Sample]) -> list[bool]:
        """Which cells are on this side, themselves or with another of their block."""
        names = frozenset(self.samples)
        return [sample.block in self.blocks or sample.id in names for sample in samples]

    def to_json(self) -> dict[str, Any]:
        """For `RecordedSplit.to_json`."""
        return {"cells": len(self.samples), "blocks": sorted(self.blocks), "samples": list(self.samples)}


@dataclass(frozen=True, slots=True)
class RecordedSplit:
    """Both sides of a split, by name, so that they are found again in the same data read anew.

    Attributes:
        train: what was trained on.
        held_out: what was not.
    """

    train: RecordedSide
    held_out: RecordedSide

    @classmethod
    def of(cls, samples: Sequence[Sample], split: Split) -> RecordedSplit:
        """The names behind the indices of a split."""

        def side(indices: Sequence[int]) -> RecordedSide:
            chosen = [samples[index] for index in indices]
            return RecordedSide(frozenset(one.block for one in chosen), tuple(one.id for one in chosen))

        return cls(side(split.train), side(split.held_out))

    def to_json(self) -> dict[str, Any]:
        """``split.json``."""
        return {"train": self.train.to_json(), "held_out": self.held_out.to_json()}

    @classmethod
    def read(cls, file: Path) -> RecordedSplit:
        """Read a ``split.json``.

        Raises:
            InputError: the file is missing or damaged.
        """
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            train, held_out = (
                RecordedSide(frozenset(record[side]["blocks"]), tuple(record[side]["samples"]))
                for side in ("train", "held_out")
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{file} does not say which cells were trained on and which held out ({error!r}).",
                "Give a run whose files are whole.",
            ) from error
        return cls(train, held_out)
