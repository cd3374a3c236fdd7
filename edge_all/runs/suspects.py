"""Images that were under way when a run was killed, tried in a process that may die of them.

Run as ``python -m edge_all.runs.suspects``: reads names of image files from standard input as a JSON list, reads and
segments one after the other, and prints the number of each when it is through.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from edge_all.results import SegmentationWay

__all__ = ["Page", "images_that_kill"]

Page = tuple[Path, int | None]
"""An image file, and the page in it where it holds several pictures."""

SECONDS_AN_IMAGE = 300
"""An image of 200 megapixels takes half a minute on two cores."""
BALLAST = 40_000_000
"""Bytes that the process holds beside the image. It and the run, which holds 166 MB meanwhile, then come to what the
run holds while it judges 5-megapixel fields, 301 MB: an image that was let off here would kill it again, and so on."""
FIRST_TO_GO = "1000"
"""What Linux is told, so that for want of memory it ends this process and not the run, which is larger at first."""


def images_that_kill(
    suspects: Mapping[str, Page], microns_per_pixel: float | None, segmentation: SegmentationWay = "learned"
) -> set[str]:
    """Those of some images of which a process of its own dies, or does not come to an end.

    Args:
        suspects: file and page by the name of the image.
        microns_per_pixel: as for the run.
        segmentation: as for the run.
    """
    left = list(suspects)
    guilty: set[str] = set()
    while left:
        through = _try([suspects[image] for image in left], microns_per_pixel, segmentation)
        if through < len(left):
            guilty.add(left[through])
        left = left[through + 1 :]
    return guilty


def _try(files: Sequence[Page], microns_per_pixel: float | None, segmentation: SegmentationWay) -> int:
    """How many of the files a process got through before it died."""
    request = json.dumps([microns_per_pixel, segmentation, [(os.fspath(file), page) for file, page in files]])
    try:
        # Our own interpreter and module, no shell.
        done = subprocess.run(
            [sys.executable, "-m", "edge_all.runs.suspects"],
            input=request.encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS_AN_IMAGE * len(files),
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return _images_through(expired.stdout or b"", files)
    return _images_through(done.stdout, files)


def _images_through(said: bytes, files: Sequence[Page]) -> int:
    """All where the process never came so far as to begin: then it says nothing about any image."""
    lines = said.splitlines()
    return len(lines) - 1 if lines else len(files)


def _main() -> None:
    from edge_all.errors import EdgeAllError
    from edge_all.imaging import read_image
    from edge_all.segmentation import segment

    with contextlib.suppress(OSError):  # other systems have no such file
        Path("/proc/self/oom_score_adj").write_text(FIRST_TO_GO, encoding="ascii")
    microns_per_pixel, segmentation, files = json.load(sys.stdin)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    # Not zeros, which the system would hand out as one page.
    ballast = b"." * BALLAST
    for number, (file, page) in enumerate(files):
        try:
            segment(read_image(Path(file), page=page), microns_per_pixel=microns_per_pixel, outlines=segmentation)
        except EdgeAllError:
            pass  # the run itself says what is wrong with it
        except Exception as error:  # noqa: BLE001 - likewise; only the end of the process counts here
            sys.stderr.write(f"{error}\n")
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
    del ballast


if __name__ == "__main__":
    _main()
