"""Is each image of the manifest there exactly once? The account at the end of an archive.

It believes no counter that a worker kept: the results of each slide are read back, and held against the manifest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_all.results import INTENDED_USE
from edge_all.runs.run_record import Conditions
from edge_all.slide_archive.addresses import ResultsFolder
from edge_all.slide_archive.manifest import ArchiveSlide, BadRow, Manifest
from edge_all.slide_archive.parquet_tables import TableParts
from edge_all.slide_archive.slide_results import RESULTS, JudgedSlide, read_slide, result_name

__all__ = ["Reconciliation", "reconcile"]


@dataclass(slots=True)
class Reconciliation:
    """What an archive came to.

    Attributes:
        rows: rows of the manifest.
        bad_rows: those of no use.
        slides: slides of the manifest.
        complete: slides that are there, with every image judged or found to be no image.
        unread: of each slide that is there, the number of its images that could not be fetched or opened; it is judged
            again when the archive is gone on with.
        missing: why there are no results of a slide, by slide.
        images: images of the manifest.
        fields: number of fields by status.
        twice: images that the results of their slide hold more often than they should; there is no way to that but a
            fault of ours.
        verdicts: number of slides by verdict.
        others: results in the folder that belong to no slide of this manifest under these conditions.
    """

    rows: int
    bad_rows: tuple[BadRow, ...]
    slides: int
    images: int
    complete: int = 0
    unread: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    fields: Counter[str] = field(default_factory=Counter)
    twice: list[str] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    others: int = 0

    @property
    def accounted(self) -> bool:
        """Whether each row of the manifest is there exactly once."""
        return not (self.bad_rows or self.missing or self.twice)

    @property
    def all_judged(self) -> bool:
        """Whether, besides, every image could be judged."""
        return self.accounted and not self.unread and set(self.fields) <= {"ok"}

    def to_json(self) -> dict[str, Any]:
        """The account as JSON-ready values."""
        return {
            "intended_use": INTENDED_USE,
            "accounted": self.accounted,
            "all_judged": self.all_judged,
            "manifest": {
                "rows": self.rows,
                "bad_rows": [{"row": bad.row, "content": bad.content, "reason": bad.reason} for bad in self.bad_rows],
                "slides": self.slides,
                "images": self.images,
            },
            "slides_complete": self.complete,
            "slides_with_unread_images": self.unread,
            "slides_missing": self.missing,
            "fields": {status: self.fields[status] for status in ("ok", "error", "unusable")},
            "verdicts": dict(sorted(self.verdicts.items())),
            "images_twice": self.twice,
            "results_of_others": self.others,
        }


def reconcile(
    folder: ResultsFolder, manifest: Manifest, conditions: Conditions | None, failed: Mapping[str, str]
) -> Reconciliation:
    """Read all results back, write the tables from them, and account for each image.

    Args:
        folder: the output.
        manifest: what was to be screened.
        conditions: under which; None where nothing was ever judged.
        failed: why slides failed, as far as it is known.

    Raises:
        OutputError: the folder cannot be read, or the tables cannot be written.
    """
    account = Reconciliation(manifest.rows, manifest.bad_rows, len(manifest.slides), manifest.images)
    tables = TableParts(folder)
    own: set[str] = set()
    for slide in manifest.slides:
        judged = None if conditions is None else read_slide(folder, slide, conditions)
        if judged is None or conditions is None:
            account.missing[slide.slide] = failed.get(slide.slide, "It was not judged.")
            continue
        own.add(result_name(slide, conditions))
        _count(account, judged)
        tables.add(judged)
    tables.finish()
    account.others = len(set(folder.names(RESULTS)) - own)
    return account


def _count(account: Reconciliation, judged: JudgedSlide) -> None:
    account.twice += _twice(judged.slide, [one.image for one in judged.fields], judged.pictures)
    account.fields.update(one.status for one in judged.fields)
    account.verdicts[judged.result.verdict] += 1
    if judged.unread:
        account.unread[judged.slide.slide] = judged.unread
    else:
        account.complete += 1


def _twice(slide: ArchiveSlide, fields: Iterable[str], pictures: Iterable[int]) -> list[str]:
    """The images whose fields are not the ones that they became, each once."""
    names = iter(fields)
    wrong = []
    seen: set[str] = set()
    for one, number in zip(slide.images, pictures, strict=True):
        own = [next(names, "") for _ in range(number)]
        expected = all(name == one.image or name.startswith(f"{one.image}#") for name in own)
        if not own or not expected or seen.intersection(own) or len(set(own)) < len(own):
            wrong.append(one.image)
        seen.update(own)
    return wrong
