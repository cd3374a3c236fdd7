"""The wheels of a bundle: edge-all's own, built here, and all that they need on the target, from the package index.

pip takes wheels for another machine, but judges the markers of requirements (``colorama; sys_platform == 'win32'``) by
the machine that it runs on. So each wheel is asked what it needs on the target, until nothing is missing.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name
from targets import Target

__all__ = ["BundleError", "Wheel", "collect", "read_wheel"]


class BundleError(Exception):
    """A bundle cannot be made; says why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel and what it says of itself.

    Attributes:
        path: the file.
        name: normalised name of the distribution.
        version: of the distribution.
        metadata: the headers of its METADATA.
    """

    path: Path
    name: str
    version: str
    metadata: Message

    def needs(self, extras: Iterable[str], target: Target) -> list[Requirement]:
        """What it requires on the target, with some of its extras."""
        needed = []
        for text in self.metadata.get_all("Requires-Dist") or []:
            requirement = Requirement(text)
            environments = [{**target.marker_environment, "extra": extra} for extra in ("", *extras)]
            if requirement.marker is None or any(requirement.marker.evaluate(one) for one in environments):
                needed.append(requirement)
        return needed


def read_wheel(path: Path) -> Wheel:
    """Read what a wheel says of itself.

    Raises:
        BundleError: it is none.
    """
    try:
        with zipfile.ZipFile(path) as file:
            (name,) = (one for one in file.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1)
            metadata = Parser().parsestr(file.read(name).decode("utf-8"))
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is no wheel ({error}).") from error
    return Wheel(path, canonicalize_name(metadata["Name"]), metadata["Version"], metadata)


def collect(own: Iterable[Path], extras: Iterable[str], target: Target, folder: Path) -> list[Wheel]:
    """Put wheels into a folder until nothing is missing on the target.

    Args:
        own: wheels of edge-all, of which the first has the extras.
        extras: of edge-all.
        target: the kind of station.
        folder: an empty folder.

    Returns:
        All wheels, pip among them, by which the station installs.

    Raises:
        BundleError: a wheel for the target cannot be had.
    """
    first, *others = own
    wanted = [f"{first}[{','.join(extras)}]", *map(str, others), "pip"]
    while True:
        _download(wanted, target, folder)
        wheels = [read_wheel(path) for path in sorted(folder.glob("*.whl"))]
        missing = _missing(wheels, read_wheel(first).name, tuple(extras), target)
        if not missing:
            return wheels
        if set(missing) <= set(wanted):
            raise BundleError(f"The package index has no fitting wheel of {', '.join(missing)} for {target.tag}.")
        wanted += missing


def _missing(wheels: list[Wheel], first: str, extras: tuple[str, ...], target: Target) -> list[str]:
    by_name = {wheel.name: wheel for wheel in wheels}
    asked: set[tuple[str, str]] = set()
    queue = [(first, extra) for extra in ("", *extras)] + [(wheel.name, "") for wheel in wheels]
    missing = {}
    while queue:
        name, extra = queue.pop()
        if (name, extra) in asked:
            continue
        asked.add((name, extra))
        for requirement in by_name[name].needs((extra,) if extra else (), target):
            other = canonicalize_name(requirement.name)
            if other in by_name:
                queue += [(other, one) for one in ("", *requirement.extras)]
            else:
                extras_words = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
                missing[other] = f"{requirement.name}{extras_words}{requirement.specifier}"
    return sorted(missing.values())


def _download(wanted: list[str], target: Target, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run([*command, *target.pip_options, *wanted], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[-3:]
        raise BundleError(f"pip could not get the wheels for {target.tag}:\n" + "\n".join(lines))
