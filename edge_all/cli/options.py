"""Options that several verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_all.api.arguments import LARGEST_PIXEL, SMALLEST_PIXEL

__all__ = [
    "OPTION_NAMES",
    "DeviceOption",
    "HostNamesOption",
    "HostOption",
    "ModelOption",
    "PixelSizeOption",
    "PortOption",
    "StationOption",
    "ThreadsOption",
    "VariantOption",
]

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Installed model's name, or a package folder; the embedded model where left out."),
]
VariantOption = Annotated[
    str | None, typer.Option("--variant", help="fp32, fp16 or int8; the best for the device where left out.")
]
DeviceOption = Annotated[
    str,
    typer.Option("--device", help="auto, cpu, cuda, tensorrt, openvino, directml or coreml. Never falls back unsaid."),
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
