"""Does an execution provider really start? Tried in a process of its own, because a broken driver can end one.

Run as ``python -m edge_all.doctor.probe DEVICE PACKAGE``; prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edge_all.errors import EdgeAllError

__all__ = ["Probe", "probe"]

TIMEOUT_SECONDS = 180
"""TensorRT builds an engine of the network at its first start."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What one device did with the package.

    Attributes:
        started: the session got the provider that was asked for (or, for ``auto``, any).
        finding: what was got, or why not.
        golden: whether the network gave its golden answers; None where the card carries none.
        difference: largest difference from them; None where the card carries none.
    """

    started: bool
    finding: str
    golden: bool | None = None
    difference: float | None = None


def probe(device: str, package: Path) -> Probe:
    """Open the package on a device in another process, and compare it with its golden answers."""
    try:
        # Our own interpreter and module, no shell.
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "edge_all.doctor.probe", device, str(package)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Probe(False, f"gave no answer within {TIMEOUT_SECONDS} s")
    except OSError as error:
        return Probe(False, f"could not be tried ({error.strerror})")
    lines = done.stdout.strip().splitlines()
    try:
        return Probe(**json.loads(lines[-1]))
    except (IndexError, ValueError, TypeError):
        said = done.stderr.strip().splitlines()
        ending = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        return Probe(False, f"the process ended ({ending}): {said[-1] if said else 'it said nothing'}")


def _attempt(device: str, package: Path) -> Probe:
    """Open the package on a device in this process."""
    from edge_all.classification.classifier import load_classifier
    from edge_all.classification.verification import check_golden

    try:
        classifier = load_classifier(str(package), device=device, remember=False)
        check = check_golden(classifier)
    except EdgeAllError as error:
        return Probe(False, error.problem)
    provider, why = classifier.provider, classifier.variant_reason
    # The same measurement may be the reason for both.
    variant = f"{classifier.variant} variant" + ("" if provider.reason.startswith(why) else f" ({why})")
    finding = f"{provider.obtained}, {variant}, {provider.threads} threads"
    if device == "auto":
        # Of a device that is named here because each is tried, nobody asked for it.
        finding += f"; {provider.reason}"
    if check.largest_difference is None:
        return Probe(True, finding)
    return Probe(True, finding, check.passed, check.largest_difference)


def _main() -> None:
    result = _attempt(sys.argv[1], Path(sys.argv[2]))
    sys.stdout.write(
        json.dumps({name: getattr(result, name) for name in ("started", "finding", "golden", "difference")}) + "\n"
    )


if __name__ == "__main__":
    _main()
