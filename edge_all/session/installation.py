"""Which ONNX Runtime is installed, and whether two of them have overwritten each other.

All its distributions install the same module ``onnxruntime``. Two in one folder leave a mixture of both: the usual sign
is that the CUDA provider is gone (microsoft/onnxruntime issue 26996).
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from edge_all.errors import OnnxRuntimeConflictError, OnnxRuntimeMissingError
from edge_all.wording.extras import install_words

__all__ = ["ONNXRUNTIME_DISTRIBUTIONS", "InstalledDistribution", "import_onnxruntime", "installed_onnxruntimes"]

ONNXRUNTIME_DISTRIBUTIONS = {
    "onnxruntime": "cpu",
    "onnxruntime-gpu": "gpu",
    "onnxruntime-openvino": "openvino",
    "onnxruntime-directml": "directml",
    "onnxruntime-training": None,
    "onnxruntime-qnn": None,
    "onnxruntime-rocm": None,
    "onnxruntime-migraphx": None,
    "onnxruntime-cann": None,
    "onnxruntime-silicon": None,
    "onnxruntime-windowsml": None,
}
"""Every known distribution of the module, and the extra of edge-all that installs it, where there is one."""
_RECORDS = (".dist-info", ".egg-info")
"""How the names of the folders end in which pip writes down what it installed."""


@dataclass(frozen=True, slots=True)
class InstalledDistribution:
    """One installed distribution of a module.

    Attributes:
        name: as pip knows it.
        version: its version.
        folder: the site-packages folder that it installed into.
    """

    name: str
    version: str
    folder: Path


def installed_onnxruntimes() -> tuple[InstalledDistribution, ...]:
    """The ONNX Runtime distributions of this Python environment, in the order in which Python finds them."""
    return installed_distributions(tuple(ONNXRUNTIME_DISTRIBUTIONS))


def installed_distributions(names: tuple[str, ...]) -> tuple[InstalledDistribution, ...]:
    """Those of the named distributions that are installed."""
    return _distributions_on(names, tuple(sys.path))


@functools.cache
def _distributions_on(names: tuple[str, ...], search_path: tuple[str, ...]) -> tuple[InstalledDistribution, ...]:
    import importlib.metadata  # 20 ms, for which the start of a run need not wait

    found = []
    for name in names:
        for distribution in importlib.metadata.distributions(name=name, path=list(search_path)):
            folder = Path(str(distribution.locate_file("")))
            installed = InstalledDistribution(name, distribution.version, folder.resolve())
            if installed not in found:
                found.append(installed)
    return tuple(found)


@functools.cache
def _several_in_one_folder(search_path: tuple[str, ...]) -> bool:
    """Whether a folder holds the records of more than one ONNX Runtime, by the names of its files alone."""
    for folder in search_path:
        try:
            with os.scandir(folder or ".") as entries:
                names = [entry.name for entry in entries]
        except OSError:
            continue
        records = [one for one in names if one.lower().startswith("onnxruntime") and one.endswith(_RECORDS)]
        if len(records) > 1:
            return True
    return False


def colliding(installed: tuple[InstalledDistribution, ...]) -> tuple[InstalledDistribution, ...]:
    """Those that share a folder with another one and so have overwritten its files.

    Two in different folders do not: Python takes the first on its path, whole.
    """
    return tuple(
        one for one in installed if any(other.folder == one.folder and other.name != one.name for other in installed)
    )


def import_onnxruntime() -> ModuleType:
    """The module ``onnxruntime``, once it is certain which one that is.

    Raises:
        OnnxRuntimeMissingError: none is installed, or it does not import.
        OnnxRuntimeConflictError: two are installed in one folder.
        KeyboardInterrupt: of the user, also where the module has made another error of it.
    """
    clash = colliding(installed_onnxruntimes()) if _several_in_one_folder(tuple(sys.path)) else ()
    if clash:
        raise OnnxRuntimeConflictError(
            f"Several ONNX Runtimes are installed in {clash[0].folder} and have overwritten each other: "
            + ", ".join(f"{one.name} {one.version}" for one in clash)
            + ".",
            conflict_remedy(clash),
        )
    try:
        onnxruntime = importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        if error.name != "onnxruntime":
            raise OnnxRuntimeMissingError(
                f"ONNX Runtime is installed but lacks the Python package {error.name!r}.",
                f"Run: pip install {error.name}",
            ) from error
        raise OnnxRuntimeMissingError(
            "No ONNX Runtime is installed, so no cell can be judged.",
            f"Run, {install_words('cpu')}. That is for any computer; [gpu] (NVIDIA), [openvino] (Intel) or [directml] "
            "(Windows) can stand in place of [cpu], only one of them.",
        ) from error
    except (ImportError, OSError) as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # Ctrl-C while the extension module starts: pybind11 makes an ImportError of whatever is raised then.
            raise KeyboardInterrupt from error
        raise OnnxRuntimeMissingError(
            f"ONNX Runtime is installed but does not start ({error}).",
            f"Run, {install_words('cpu', again=True)}; on Windows, install the Microsoft Visual C++ Redistributable "
            "first.",
        ) from error
    if not hasattr(onnxruntime, "InferenceSession"):
        # What is left behind when one of two distributions was removed: a folder without its core.
        raise OnnxRuntimeMissingError(
            "The ONNX Runtime that is installed is incomplete: another one was removed and took its files along.",
            f"Run, {install_words('cpu', again=True)}; or with [gpu], [openvino] or [directml] in place of [cpu].",
        )
    # What is logged for Windows' own event tracing, in the builds that use it; the rest is off since `import edge_all`.
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def conflict_remedy(clash: tuple[InstalledDistribution, ...]) -> str:
    """What to type. All must go: removing one alone deletes files that the other needs."""
    names = [one.name for one in clash]
    special = [extra for name in names if (extra := ONNXRUNTIME_DISTRIBUTIONS[name]) not in (None, "cpu")]
    extra = special[0] if special else "cpu"
    remove = f"pip uninstall -y {' '.join(names)}"
    return f"Run: {remove}; then install the one you want, alone, {install_words(extra)}."
