"""Options that several verbs share, each defined once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["DeviceOption", "ModelOption", "ThreadsOption", "VariantOption"]

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
PathsArgument = Annotated[list[Path], typer.Argument()]
