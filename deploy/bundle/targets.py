"""The machines that a bundle can be made for, as pip and the markers of requirements know them."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

__all__ = ["PYTHONS", "SYSTEMS", "Target", "own_target"]

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
SYSTEMS = ("linux-x86_64", "linux-aarch64", "windows-amd64", "macos-arm64")
OLDEST_GLIBC, NEWEST_GLIBC = 17, 28
"""Minor versions. What needs a newer one than 2.28 (Debian 10, RHEL 8) is not taken."""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of station.

    Attributes:
        system: one of `SYSTEMS`.
        python: its Python, for example ``3.12``.
    """

    system: str
    python: str

    @property
    def tag(self) -> str:
        """For file names: ``linux-x86_64-cp312``."""
        return f"{self.system}-cp{self.python.replace('.', '')}"

    @property
    def pip_options(self) -> list[str]:
        """What lets ``pip download`` take wheels for it."""
        options = ["--python-version", self.python, "--implementation", "cp", "--only-binary", ":all:"]
        for name in self._platforms():
            options += ["--platform", name]
        return options

    def _platforms(self) -> list[str]:
        kind, _, machine = self.system.partition("-")
        if kind == "linux":
            minors = range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1)
            return [f"manylinux_2_{minor}_{machine}" for minor in minors] + [f"manylinux2014_{machine}"]
        if kind == "windows":
            return ["win_amd64"]
        return [f"macosx_{major}_0_{machine}" for major in (14, 13, 12, 11)]

    @property
    def marker_environment(self) -> dict[str, str]:
        """The values that markers of requirements are judged by, which pip takes from the machine that it runs on."""
        kind, _, machine = self.system.partition("-")
        names = {
            "linux": ("posix", "linux", "Linux"),
            "windows": ("nt", "win32", "Windows"),
            "macos": ("posix", "darwin", "Darwin"),
        }[kind]
        return {
            "os_name": names[0],
            "sys_platform": names[1],
            "platform_system": names[2],
            "platform_machine": machine.upper() if kind == "windows" else machine,
            "platform_release": "",
            "platform_version": "",
            "python_version": self.python,
            "python_full_version": f"{self.python}.0",
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "platform_python_implementation": "CPython",
        }


def own_target() -> Target:
    """This machine with this Python."""
    kind = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    if kind == "linux":
        machine = _MACHINES.get(machine, machine)
    return Target(f"{kind}-{machine}", f"{sys.version_info[0]}.{sys.version_info[1]}")
