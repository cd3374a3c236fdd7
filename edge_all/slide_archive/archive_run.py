"""An archive into an output folder: what ``edge-all archive`` does."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass

from edge_all.errors import OutputError
from edge_all.files.atomic import output_error
from edge_all.files.folder_claim import held_file
from edge_all.outputs.json_text import json_text
from edge_all.outputs.parquet import require_parquet
from edge_all.session import available_cores
from edge_all.slide_archive.addresses import LocalFolder, ResultsFolder, results_folder
from edge_all.slide_archive.manifest import ArchiveSlide, Manifest
from edge_all.slide_archive.ray_actors import judged_by_ray
from edge_all.slide_archive.reconciliation import Reconciliation, reconcile
from edge_all.slide_archive.slide_results import RESULTS, read_conditions
from edge_all.slide_archive.worker import Outcome, Settings
from edge_all.slide_archive.worker_crew import judged_by_processes

__all__ = ["ACCOUNT_FILE", "Crew", "screen_archive", "screen_part"]

ACCOUNT_FILE = "reconciliation.json"
_LOCK = ".edge-all.lock"
_FAILURES_IN_A_ROW = 20
"""After so many slides without a result between them, nothing is wrong with the slides."""


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work.

    Attributes:
        workers: number of processes, or of Ray's actors.
        ray: address of a Ray cluster, ``local`` for one of our own; None for processes of this machine.
    """

    workers: int = 1
    ray: str | None = None


def screen_archive(
    manifest: Manifest,
    settings: Settings,
    crew: Crew = Crew(),
    *,
    on_slide: Callable[[Outcome], None] = lambda _: None,
) -> Reconciliation:
    """Judge all slides that are not there yet, write the tables, and account for every image.

    Args:
        manifest: what is to be screened.
        settings: of the workers.
        crew: who does the work.
        on_slide: called with each slide as soon as its results are in place.

    Returns:
        The account, which lies in the output too.

    Raises:
        OutputError: the output holds the results of another model or other settings, another run of this machine is
            writing it, or it takes nothing.
        MissingPackageError: pyarrow is not installed.
        EdgeAllError: no worker can begin.
    """
    require_parquet("archive")
    folder = results_folder(settings.out)
    with _claimed(folder):
        folder.clear(RESULTS)
        failed = _work(manifest.slides, settings, crew, on_slide)
        account = reconcile(folder, manifest, read_conditions(folder), failed)
        folder.write(ACCOUNT_FILE, (json_text(account.to_json(), indent=2) + "\n").encode("ascii"))
    return account


def screen_part(
    slides: Sequence[ArchiveSlide],
    settings: Settings,
    crew: Crew = Crew(),
    *,
    on_slide: Callable[[Outcome], None] = lambda _: None,
) -> int:
    """Judge a part of an archive, beside others that write into the same output.

    Args:
        slides: of the part, see `Manifest.part`.
        settings: as for `screen_archive`, which is called once when all parts are through.
        crew: likewise.
        on_slide: likewise.

    Returns:
        Number of slides that failed.

    Raises:
        OutputError, EdgeAllError: as for `screen_archive`.
    """
    return len(_work(slides, settings, crew, on_slide))


def _work(
    slides: Sequence[ArchiveSlide], settings: Settings, crew: Crew, on_slide: Callable[[Outcome], None]
) -> dict[str, str]:
    """Let the crew judge; why slides failed, by slide.

    Raises:
        OutputError: one after the other fails.
    """
    failed: dict[str, str] = {}
    in_a_row = 0
    with contextlib.closing(_outcomes(slides, settings, crew)) as outcomes:
        for outcome in outcomes:
            on_slide(outcome)
            if outcome.error is None:
                in_a_row = 0
                continue
            in_a_row += 1
            failed[outcome.slide] = outcome.error
            if in_a_row >= _FAILURES_IN_A_ROW:
                raise OutputError(
                    f"{in_a_row} slides in a row came to no result. The last one said: {outcome.error}",
                    "Put that right and run again; what was judged is kept.",
                )
    return failed


def _outcomes(slides: Sequence[ArchiveSlide], settings: Settings, crew: Crew) -> Generator[Outcome, None, None]:
    if not slides:
        return
    settings = dataclasses.replace(settings, run=uuid.uuid4().hex)
    workers = min(crew.workers, len(slides))
    if crew.ray is not None:
        yield from judged_by_ray(slides, settings, workers, crew.ray)
        return
    # Together the workers compute on as many threads as there are cores.
    threads = settings.threads or max(1, available_cores() // workers)
    yield from judged_by_processes(slides, dataclasses.replace(settings, threads=threads), workers)


@contextlib.contextmanager
def _claimed(folder: ResultsFolder) -> Iterator[None]:
    """Keep a second run of this machine out; elsewhere, running twice is harmless and only takes twice the time.

    Raises:
        OutputError: another run is at it, or the folder cannot be made.
    """
    if not isinstance(folder, LocalFolder):
        yield
        return
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        lock = held_file(folder.path / _LOCK)
    except OSError as error:
        raise output_error(folder.path, error) from error
    if lock is None:
        raise OutputError(
            f"The output folder {folder.path} is in use by another run.",
            "Wait for it to end, or choose another folder.",
            settings=("out",),
        )
    with lock:
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                (folder.path / _LOCK).unlink()
