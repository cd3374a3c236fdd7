"""What a page or a laboratory system may send: the body of each request that decides something."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from edge_all.station.review.signatures import SignatureMeaning

__all__ = [
    "Amending",
    "Commenting",
    "Drawing",
    "Entering",
    "Excluding",
    "Gesture",
    "Looking",
    "Outlining",
    "Reclassifying",
    "Retrying",
    "Signing",
    "Splitting",
]

CellName = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[0-9d][0-9]*(-[0-9]+)?$")]


def _a_number(value: object) -> object:
    """Pydantic would take ``false`` and ``"0"`` for numbers."""
    if isinstance(value, bool | str):
        raise ValueError("a number is wanted")  # noqa: TRY004 - what pydantic makes a refusal of
    return value


Version = Annotated[int, BeforeValidator(_a_number), Field(ge=0, le=2**53)]
Cells = Annotated[
    dict[CellName, Version],
    Field(
        min_length=1,
        max_length=50_000,
        description="By the name of each cell, the version that was seen.",
        json_schema_extra={"additionalProperties": False},
    ),
]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
CircleIn = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
GestureName = Annotated[
    str | None,
    Field(max_length=80, pattern=r"^[A-Za-z0-9-]+$", description="The sender's own; sent again, it is done once."),
]


class Gesture(BaseModel):
    """What every gesture may carry."""

    model_config = ConfigDict(extra="forbid")

    gesture: GestureName = None


class Reclassifying(Gesture):
    """Call cells something."""

    cells: Cells
    kind: Words
    anyway: bool = False


class Excluding(Gesture):
    """Take cells out of the count, or in again."""

    cells: Cells
    excluded: bool = True
    anyway: bool = False


class Looking(Gesture):
    """The person has looked at cells."""

    cells: Cells


class Commenting(Gesture):
    """Write something about a cell, or about the slide."""

    text: Words
    cell: CellName | None = None


class Drawing(Gesture):
    """Add a cell that was missed."""

    field: Annotated[int, Field(ge=1, le=1_000_000)]
    circle: CircleIn
    kind: Words


class Outlining(Gesture):
    """Put a circle in the place of a cell's outline."""

    cell: CellName
    version: Version
    circle: CircleIn
    anyway: bool = False


class Splitting(Gesture):
    """Put several cells in the place of one that was merged."""

    cell: CellName
    version: Version
    circles: Annotated[list[CircleIn], Field(min_length=2, max_length=50)]
    anyway: bool = False


class Signing(Gesture):
    """Sign a slide."""

    meaning: Annotated[
        SignatureMeaning,
        Field(
            description="What the signature means. `reviewed`: the slide was looked through. `reviewed and confirmed`: "
            "it was, and the verdict is confirmed. `second opinion`: it was looked through beside another reading."
        ),
    ]
    reason: Annotated[Words, Field(description="Why it is given, in the reader's own words.")]
    last_seq: Version


class Amending(Gesture):
    """Open a signed slide again."""

    reason: Words


class Entering(BaseModel):
    """Say who one is."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    password: Annotated[str, Field(max_length=1000)] = ""


class Retrying(BaseModel):
    """Have images that were given up tried again: those named, or all."""

    model_config = ConfigDict(extra="forbid")

    images: list[Version] | None = None
