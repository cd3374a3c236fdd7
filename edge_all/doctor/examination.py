"""The order of the checks, and which of them need which others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from edge_all.doctor.findings import Check, DoctorReport
from edge_all.doctor.hardware import (
    check_camera_folder,
    check_cores,
    check_instruction_sets,
    check_working_folder,
    instruction_sets,
)
from edge_all.doctor.probe import Probe, probe
from edge_all.doctor.software import check_edge_all, check_onnxruntime, check_opencv, check_python, check_telemetry
from edge_all.errors import ModelError
from edge_all.session import DEVICES, import_onnxruntime
from edge_all.wording.extras import install_words

if TYPE_CHECKING:
    from edge_all.model.package import ModelPackage

__all__ = ["examine"]


def examine(*, model: str | None = None, folder: Path = Path(), camera_folder: Path | None = None) -> DoctorReport:
    """Look at everything that a run depends on.

    Args:
        model: the package to try, as for `edge_all.classification.classifier.load_classifier`.
        folder: where results would be written.
        camera_folder: where images would come from; not looked at where None.
    """
    return DoctorReport(tuple(_checks(model, folder.absolute(), camera_folder)))


def _checks(model: str | None, folder: Path, camera_folder: Path | None) -> Iterator[Check]:
    yield check_python()
    yield check_edge_all()
    yield (onnxruntime := check_onnxruntime())
    yield check_telemetry()
    yield (opencv := check_opencv())
    yield check_cores()
    broken = [check.name for check in (onnxruntime, opencv) if check.status == "problem"]
    package = _not_tried(broken) if broken else _find_package(model)
    int8 = not isinstance(package, Check) and "int8" in package.card.variants
    yield check_instruction_sets(instruction_sets(), int8=int8)
    if not broken:
        from edge_all.doctor.packages import check_installed_packages, check_signatures  # need OpenCV

        yield check_installed_packages()
        yield check_signatures()
    if isinstance(package, Check):
        yield package
    else:
        yield from _model_checks(package)
    yield check_working_folder(folder)
    if camera_folder is not None:
        yield check_camera_folder(camera_folder)


def _not_tried(broken: list[str]) -> Check:
    return Check("model package", "warning", f"not tried: {' and '.join(broken)} must work first", "See above.")


def _find_package(model: str | None) -> ModelPackage | Check:
    """The package, verified, or what is wrong with it."""
    # Both need OpenCV, which may be what is broken.
    from edge_all.classification.verification import check_networks
    from edge_all.model.store import find_package
    from edge_all.model.trust import require_accepted

    try:
        package = find_package(model)
        require_accepted(package)
        check_networks(package)
    except ModelError as error:
        return Check("model package", "problem", error.problem, error.remedy)
    return package


def _model_checks(package: ModelPackage) -> Iterator[Check]:
    # It needs OpenCV, too.
    from edge_all.doctor.remembered_times import check_choice

    yield Check("model package", "ok", _describe(package))
    available = import_onnxruntime().get_available_providers()
    for device, provider in DEVICES.items():
        if provider in available:
            yield _provider_check(f"device {device}", probe(device, package.path), required=device == "cpu")
    yield check_choice(package)
    chosen = probe("auto", package.path)
    yield _provider_check("device auto", chosen, required=True)
    yield _golden_check(chosen)


def _describe(package: ModelPackage) -> str:
    variants = ", ".join(f"{name} {block.sha256[:12]}" for name, block in package.card.variants.items())
    return f"{package.card.name} {package.card.version}, every hash right ({variants}), {package.path}"


def _provider_check(name: str, result: Probe, *, required: bool) -> Check:
    if not result.started:
        return Check(
            name,
            "problem" if required else "warning",
            result.finding,
            f"Run, {install_words('cpu', again=True)}."
            if required
            else "Nothing, unless you want this device; then install what the finding names.",
        )
    if result.golden is False:
        return Check(
            name,
            "problem",
            f"{result.finding}; golden answers missed by {result.difference:.3g}",
            "Do not use this device: it computes something else than was tested.",
        )
    return Check(name, "ok", result.finding)


def _golden_check(result: Probe) -> Check:
    name = "golden answers"
    if not result.started:
        return Check(name, "warning", "not tried: no device started", "See above.")
    if result.golden is None:
        return Check(name, "warning", "the package carries none, so its arithmetic cannot be proven here", None)
    if result.golden:
        return Check(name, "ok", f"the network answers as it did where it was tested (to {result.difference:.1g})")
    return Check(
        name,
        "problem",
        f"the network answers otherwise than where it was tested (by {result.difference:.3g})",
        "Do not use it on this machine. Try another --variant or --device, and report it.",
    )
