"""How many cores this process may use, which in a container is not how many the machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_cores", "cgroup_quota"]


def available_cores() -> int:
    """Cores that this process may use: its affinity mask, and the quota of its control groups.

    A fraction of a core is rounded up: a thread more than the quota waits a little, a thread fewer wastes it.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota()
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def cgroup_quota(root: Path = Path("/")) -> float | None:
    """The tightest CPU quota of the control groups that this process is in, in cores.

    Args:
        root: where ``proc`` and ``sys`` are; another folder in tests.

    Returns:
        None where there is no quota, or no control groups at all.
    """
    quotas = [quota for quota in _quotas(root) if quota > 0]
    return min(quotas, default=None)


def _quotas(root: Path) -> Iterator[float]:
    """Quotas of this process's groups and of all groups around them, under either version of control groups."""
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for membership in memberships:
        _, controllers, group = membership.split(":", 2)
        mount = root / "sys/fs/cgroup"
        if controllers:
            if "cpu" not in controllers.split(","):
                continue
            mount = next((folder for folder in (mount / "cpu", mount / controllers) if folder.is_dir()), mount / "cpu")
        # Inside a container the path may be the host's; then the container's own group is mounted at the root.
        inside = Path(group.lstrip("/"))
        for folder in (mount / inside, *(mount / parent for parent in inside.parents)):
            quota = _read_quota(folder)
            if quota is not None:
                yield quota


def _read_quota(folder: Path) -> float | None:
    """The quota of one group in cores, None where it has none."""
    try:
        if (folder / "cpu.max").is_file():
            limit, period = (folder / "cpu.max").read_text().split()
            return None if limit == "max" else int(limit) / int(period)
        if (folder / "cpu.cfs_quota_us").is_file():
            microseconds = int((folder / "cpu.cfs_quota_us").read_text())
            period_microseconds = int((folder / "cpu.cfs_period_us").read_text())
            return None if microseconds <= 0 else microseconds / period_microseconds
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return None
