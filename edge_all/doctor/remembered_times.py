"""What `--device auto` remembers of this machine."""

from __future__ import annotations

from edge_all.doctor.findings import Check
from edge_all.files.cache_folder import CACHE_VARIABLE
from edge_all.model.package import ModelPackage
from edge_all.selection import remembered_timings
from edge_all.selection.timings import timings_can_be_kept, timings_file

__all__ = ["check_choice"]


def check_choice(package: ModelPackage) -> Check:
    """The times by which `auto` chooses, as they stand in the cache.

    Args:
        package: a verified package.
    """
    name = "choice of auto"
    timings = remembered_timings(package)
    if len(timings) == 1:
        return Check(name, "ok", f"{next(iter(timings))} is all there is to choose from: nothing is measured")
    file = timings_file()
    measured = ", ".join(f"{one} {ms:.3g} ms a cell" for one, ms in timings.items() if ms is not None)
    unknown = ", ".join(one for one, ms in timings.items() if ms is None)
    if unknown and not timings_can_be_kept():
        place = "a folder of this user's, who has none" if file is None else str(file.parent)
        return Check(
            name,
            "warning",
            f"every run measures {unknown} anew, about a second each: the times cannot be kept in {place}",
            f"Make that folder writable, or name another in the environment variable {CACHE_VARIABLE}.",
        )
    if not measured:
        return Check(name, "ok", f"the next run measures {unknown}; to be kept in {file}")
    finding = f"measured before: {measured}; kept in {file}"
    return Check(name, "ok", f"{finding}; not measured: {unknown}" if unknown else finding)
