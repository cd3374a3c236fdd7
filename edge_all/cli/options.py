"""Options that several verbs share, each defined once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from edge_all.api.arguments import LARGEST_PIXEL, SMALLEST_PIXEL

__all__ = [
    "DEVICES_OFFERED",
    "OPTION_NAMES",
    "VARIANTS_OFFERED",
    "DeviceOption",
    "HostNamesOption",
    "HostOption",
    "ModelOption",
    "PixelSizeOption",
    "PortOption",
    "StationOption",
    "ThreadsOption",
    "VariantOption",
    "offers",
]


def offers(*values: str) -> Callable[[str], list[str]]:
    """What a shell offers for an option that takes one of a few words, for ``autocompletion``.

    They are written out where the option is, so that a press of Tab loads nothing; `tests/edge_all/test_help.py` holds
    them against what is taken.
    """

    def offered(incomplete: str) -> list[str]:
        return [value for value in values if value.startswith(incomplete)]

    return offered


VARIANTS_OFFERED = offers("fp32", "fp16", "int8")
DEVICES_OFFERED = offers("auto", "cpu", "cuda", "tensorrt", "openvino", "directml", "coreml")

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Installed model's name, or a package folder; the embedded model where left out."),
]
VariantOption = Annotated[
    str | None,
    typer.Option(
        "--variant", help="fp32, fp16 or int8; the best for the device where left out.", autocompletion=VARIANTS_OFFERED
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="auto, cpu, cuda, tensorrt, openvino, directml or coreml. Never falls back unsaid.",
        autocompletion=DEVICES_OFFERED,
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads of the network; all usable cores where left out.")
]
SegmentationOption = Annotated[
    str,
    typer.Option(
        "--segmentation",
        help="What decides where a cell ends: learned for the network that is embedded for it, colour for colours and "
        "necks alone.",
        autocompletion=offers("learned", "colour"),
    ),
]
StationOption = Annotated[
    Path | None,
    typer.Option("--station", help="Folder in which the station keeps what it knows; the user's own where left out."),
]
PixelSizeOption = Annotated[
    float | None,
    typer.Option(
        "--microns-per-pixel",
        min=SMALLEST_PIXEL,
        max=LARGEST_PIXEL,
        help="Physical size of a pixel, where it is known.",
    ),
]
HostOption = Annotated[str, typer.Option("--host", help="Address to listen at; this machine alone where left out.")]
HostNamesOption = Annotated[
    list[str] | None,
    typer.Option("--host-name", help="Name by which other machines call this one; may be given again."),
]
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any that is free.")]

OPTION_NAMES = {
    "activations": "--activation-maps",
    "device": "--device",
    "fail_over": "--fail-over",
    "model": "--model",
    "host": "--host",
    "out": "-o",
    "port": "--port",
    "resume": "--resume",
    "segmentation": "--segmentation",
    "sha256": "--sha256",
    "variant": "--variant",
}
"""The options by the names of the arguments that they stand for, for `edge_all.errors.EdgeAllError.settings`."""
