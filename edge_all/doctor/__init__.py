"""What is wrong with this machine, and what to type about it. Changes nothing.

Every check stands alone: whatever is broken, the others still answer. Its remedies are lines for the command line,
options included, unlike those of the library's errors: nobody but a person at a terminal asks the doctor.
"""

from __future__ import annotations

from edge_all.doctor.examination import examine
from edge_all.doctor.findings import Check, DoctorReport, Status

__all__ = ["Check", "DoctorReport", "Status", "examine"]
