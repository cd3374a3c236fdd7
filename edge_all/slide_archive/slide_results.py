"""What is kept of a slide: one small file under a name made of slide, images, model and settings.

A compressed text: its first line is about the slide, each further line is a field exactly as ``edge-all screen``
writes it into ``fields.jsonl``. A file is put in place in one step, so that a slide is there whole or not at all, and
judging it again puts the same in place of the same: running twice is harmless.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edge_all.errors import OutputError
from edge_all.files.naming import safe_stem
from edge_all.outputs.json_text import json_text
from edge_all.outputs.jsonl import field_line
from edge_all.results import FieldResult, SlideResult
from edge_all.runs.run_record import Conditions
from edge_all.slide_archive.addresses import ResultsFolder
from edge_all.slide_archive.manifest import ArchiveSlide

__all__ = [
    "CONDITIONS_FILE",
    "RESULTS",
    "JudgedSlide",
    "claim_conditions",
    "read_conditions",
    "read_slide",
    "result_name",
]

RESULTS = "results"
CONDITIONS_FILE = "archive.json"
"""What all results in the folder were made with; a worker with another model or settings is refused by it."""
_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class JudgedSlide:
    """The results of a slide.

    Attributes:
        slide: as it stood in the manifest.
        conditions: under which it was judged.
        result: its verdict.
        pictures: of each image of the slide, in their order, the number of fields that it became: a TIFF may hold
            several.
        fields: in the order of the images.
        unread: number of images that could not be fetched or opened. They may be there another time, so that the slide
            is judged again then.
    """

    slide: ArchiveSlide
    conditions: Conditions
    result: SlideResult
    pictures: tuple[int, ...]
    fields: tuple[FieldResult, ...]
    unread: int

    def to_bytes(self) -> bytes:
        """The file; the same for the same results."""
        head = {
            "schema": _SCHEMA,
            **self.slide.to_json(),
            "conditions": dataclasses.asdict(self.conditions),
            "result": self.result.to_json(),
            "pictures": list(self.pictures),
            "unread": self.unread,
        }
        lines = [(json_text(head) + "\n").encode("ascii"), *(field_line(field) for field in self.fields)]
        return gzip.compress(b"".join(lines), compresslevel=6, mtime=0)


def result_name(slide: ArchiveSlide, conditions: Conditions) -> str:
    """Under which name the results of a slide lie.

    Whatever they depend on is in it: they can neither be taken for those of another model nor be found by it.
    """
    key = json.dumps([slide.to_json(), dataclasses.asdict(conditions)], sort_keys=True)
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"{RESULTS}/{digest[:2]}/{safe_stem(slide.slide)}-{digest}.jsonl.gz"


def read_slide(folder: ResultsFolder, slide: ArchiveSlide, conditions: Conditions) -> JudgedSlide | None:
    """The results of a slide; None where there are none, or where they are damaged and have to be made again.

    Raises:
        OutputError: the folder cannot be read.
    """
    content = folder.read(result_name(slide, conditions))
    if content is None:
        return None
    try:
        head, *lines = gzip.decompress(content).splitlines()
        record = json.loads(head)
        found = JudgedSlide(
            ArchiveSlide.from_json(record),
            Conditions.from_json(record["conditions"]),
            _slide_result(record["result"]),
            tuple(record["pictures"]),
            tuple(FieldResult.from_json(json.loads(line)) for line in lines),
            record["unread"],
        )
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError):
        return None
    whole = found.slide == slide and found.conditions == conditions and sum(found.pictures) == len(found.fields)
    return found if whole else None


def read_conditions(folder: ResultsFolder) -> Conditions | None:
    """What the results of a folder were made with; None where there are none yet.

    Raises:
        OutputError: the file that says so cannot be read, or is damaged.
    """
    content = folder.read(CONDITIONS_FILE)
    if content is None:
        return None
    try:
        return Conditions.from_json(json.loads(content))
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{CONDITIONS_FILE} in the output folder is damaged ({error}).", "Choose another folder.", settings=("out",)
        ) from error


def claim_conditions(folder: ResultsFolder, conditions: Conditions, address: str) -> None:
    """Hold a worker to the model and the settings of the output; the first worker of all sets them.

    Where two begin at the same moment with different ones, the names of results keep them apart all the same.

    Args:
        folder: the output.
        conditions: the worker's.
        address: of the folder, as the user typed it.

    Raises:
        OutputError: its results were made under other conditions; or it cannot be written.
    """
    earlier = read_conditions(folder)
    if earlier is None:
        folder.write(CONDITIONS_FILE, (json_text(dataclasses.asdict(conditions), indent=2) + "\n").encode("ascii"))
        earlier = read_conditions(folder)
    if earlier is not None:
        conditions.refuse_others(earlier, address)


def _slide_result(record: dict[str, Any]) -> SlideResult:
    known = {one.name: record[one.name] for one in dataclasses.fields(SlideResult) if one.name in record}
    interval: Sequence[float] | None = known["all_fraction_interval"]
    known["all_fraction_interval"] = None if interval is None else tuple(interval)
    known["warnings"] = tuple(known["warnings"])
    return SlideResult(**known)
