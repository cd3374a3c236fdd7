"""The findings of the doctor, as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from edge_all.results import INTENDED_USE

__all__ = ["REPORT_VERSION", "Check", "DoctorReport", "Status"]

REPORT_VERSION = 1
"""Raised whenever a reader of the JSON form could misread a newer one."""

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what was looked at.
        status: ``problem`` stops edge-all from working as asked, ``warning`` does not.
        finding: what was found.
        remedy: what to do about it; None where nothing is to be done.
    """

    name: str
    status: Status
    finding: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """All checks, in the order in which a person would make them."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """True where no check found a problem."""
        return all(check.status != "problem" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON-ready values."""
        return {
            "version": REPORT_VERSION,
            "healthy": self.healthy,
            "checks": [dataclasses.asdict(check) for check in self.checks],
            "intended_use": INTENDED_USE,
        }
