"""What the machine offers: cores, instruction sets, room on the disk, access to folders."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path
from typing import Any

from edge_all.doctor.findings import Check
from edge_all.session import available_cores

__all__ = ["check_camera_folder", "check_cores", "check_instruction_sets", "check_working_folder", "instruction_sets"]

ENOUGH_DISK = 1024**3
"""Bytes; a slide of 100 fields of 5 megapixels leaves about 300 MB of overlays and label images behind."""

_NAMES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512vnni": "AVX-512 VNNI",
    "amx_int8": "AMX",
    "asimddp": "Arm dot product",
    "i8mm": "Arm 8-bit matrix product",
}
_EIGHT_BIT = {"AVX-VNNI", "AVX-512 VNNI", "AMX", "Arm dot product", "Arm 8-bit matrix product"}


def check_cores() -> Check:
    """Cores that this process may use against those that the machine has."""
    usable, present = available_cores(), os.cpu_count() or 1
    if usable < present:
        return Check(
            "cores",
            "ok",
            f"this process may use {usable} of {present} (affinity or container quota); as many threads will be used",
        )
    return Check("cores", "ok", f"{present}, all usable")


def instruction_sets(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str] | None:
    """The instruction sets that matter to the network, by their usual names; None where they cannot be known.

    Args:
        cpuinfo: where Linux lists them; elsewhere NumPy is asked.
    """
    try:
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip().lower() in ("flags", "features"):
                return frozenset(_NAMES[flag] for flag in value.split() if flag in _NAMES)
    except OSError:
        pass
    import numpy as np

    build: Any = np.show_config(mode="dicts")
    extensions = build.get("SIMD Extensions") if build else None
    if not isinstance(extensions, dict):
        return None
    found = {name.lower() for kind in ("baseline", "found") for name in extensions.get(kind, [])}
    # NumPy names groups of instructions by a processor that has them.
    if found & {"avx512_icl", "avx512_spr"}:
        found |= {"avx512_vnni", "avx512f", "avx2"}
    if found & {"x86_v3", "x86_v4"}:
        found |= {"avx2"}
    return frozenset(_NAMES[name] for name in found if name in _NAMES)


def check_instruction_sets(found: frozenset[str] | None, *, int8: bool) -> Check:
    """What the instruction sets mean for the choice of the precision.

    Args:
        found: see `instruction_sets`.
        int8: whether the package has an INT8 variant, so that there is a choice to speak of.
    """
    # Milliseconds a cell, the embedded network on one core of an AMD EPYC, ONNX Runtime 1.32: INT8 7.2 with VNNI, 12.9
    # with AVX-512 or AVX2 alone; FP32 22.7 to 24.0. So INT8 is 3.2 times as fast as FP32 with VNNI, 1.8 times without.
    name = "instruction sets"
    if found is None:
        return Check(name, "warning", f"{platform.machine()}: unknown", "Compare variants with --variant.")
    listing = ", ".join(sorted(found)) or "none that matter"
    if found & _EIGHT_BIT:
        words = ", the INT8 variant is much the fastest" if int8 else ""
        return Check(name, "ok", f"{listing}: 8-bit products in hardware{words}")
    if "AVX2" in found:
        words = "; the INT8 variant (reduced range) is still the fastest" if int8 else ""
        return Check(name, "ok", f"{listing}: no VNNI{words}")
    return Check(
        name, "warning", f"{platform.machine()}, {listing}: the network will be slow", "Use a processor with AVX2."
    )


def check_working_folder(folder: Path) -> Check:
    """Room and permission to write results into a folder; nothing is written to find out."""
    name = "working folder"
    if not folder.is_dir():
        return Check(name, "problem", f"{folder} does not exist", "Make it, or work in another folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, "problem", f"{folder} cannot be written", "Change its permissions, or work in another one.")
    free = shutil.disk_usage(folder).free
    finding = f"{folder} can be written, {free / 1024**3:.1f} GB free"
    if free < ENOUGH_DISK:
        return Check(name, "warning", finding, "Make room: a slide of 100 fields leaves about 300 MB.")
    return Check(name, "ok", finding)


def check_camera_folder(folder: Path) -> Check:
    """Permission to read the folder into which the camera writes."""
    name = "camera folder"
    if not folder.is_dir():
        return Check(name, "problem", f"{folder} does not exist", "Check the path, and that the share is connected.")
    try:
        entries = sum(1 for _ in folder.iterdir())
    except OSError as error:
        return Check(name, "problem", f"{folder} cannot be read ({error.strerror})", "Change its permissions.")
    return Check(name, "ok", f"{folder} can be read, {entries} entries")
