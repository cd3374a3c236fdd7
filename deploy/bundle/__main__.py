"""Makes an offline bundle: ``python3 deploy/bundle cpu``.

One file that holds edge-all, everything that it needs on a station of a given kind, its bill of materials, licences and
hashes, and that installs itself there without a network. Needs pip and the package index; for Linux, Windows and macOS
alike, whatever this machine is.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path

from building import BuildError, build
from collecting import BundleError, collect, read_wheel
from describing import bill_of_materials, digest_of, licences, requirements
from packing import pack
from targets import NEWEST_GLIBC, PYTHONS, SYSTEMS, Target, own_target


def main() -> int:
    """Make a bundle, or say why not; the exit status."""
    own = own_target()
    parser = argparse.ArgumentParser(prog="deploy/bundle", description="Makes an offline bundle of edge-all.")
    parser.add_argument("extras", help="extras of edge-all, with commas: cpu, gpu, openvino, directml, signing ...")
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="folder for the file (default: this one)")
    parser.add_argument("--system", choices=SYSTEMS, default=own.system, help="of the station (default: %(default)s)")
    parser.add_argument("--python", choices=PYTHONS, default=own.python, help="of the station (default: %(default)s)")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a further model package, .zip")
    options = parser.parse_args()
    extras = options.extras.split(",")
    if not any(brings_runtime(extra) for extra in extras):
        parser.error(
            f"{options.extras} brings no ONNX Runtime, and a station could judge nothing. Add cpu, for example."
        )
    try:
        file, digest = make(extras, Target(options.system, options.python), options.model, options.output)
    except (BuildError, BundleError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    print(f"{file} ({file.stat().st_size / 1e6:.0f} MB)\nSHA-256 {digest}")
    print(f"On the station: {install_line(options.system, file.name)}")
    return 0


def install_line(system: str, name: str) -> str:
    """What is typed on a station of that system; the folder stands there because an update has to name it again."""
    if system.startswith("windows"):
        return rf"py {name} --into C:\edge-all"
    return f"python3 {name} --into {'/opt/edge-all' if system.startswith('linux') else '~/.local/edge-all'}"


def brings_runtime(extra: str) -> bool:
    """Whether an extra of edge-all, as its project file has it, requires an ONNX Runtime."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = project["optional-dependencies"].get(extra, [])
    return any(requirement.startswith("onnxruntime") for requirement in required)


def make(extras: list[str], target: Target, models: list[Path], output: Path) -> tuple[Path, str]:
    """Make a bundle.

    Args:
        extras: of edge-all.
        target: the kind of station.
        models: further model packages.
        output: folder for the file.

    Returns:
        The file, and its SHA-256.

    Raises:
        BuildError, BundleError: it cannot be made.
    """
    for model in models:
        if not model.is_file():
            raise BundleError(f"There is no model package {model}.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        (folder / "wheels").mkdir(parents=True)
        (path,) = build("edge-all", Path(temporary) / "own", wheel_only=True)
        own = read_wheel(path)
        wheels = collect([own.path], extras, target, folder / "wheels")
        (folder / "models").mkdir()
        packed = [Path(shutil.copy(model, folder / "models")) for model in models]
        hashes = requirements(wheels) + "".join(digest_of(model) for model in packed)
        # Two bundles of one version need not hold the same.
        content = hashlib.sha256(hashes.encode()).hexdigest()[:8]
        name = f"edge-all-{own.version}-{'+'.join(extras)}-{target.tag}-{content}"
        about = {
            "name": name,
            "version": own.version,
            "system": target.system,
            "python": target.python,
            "glibc": f"2.{NEWEST_GLIBC}",
            "models": [model.name for model in packed],
        }
        (folder / "bundle.json").write_text(json.dumps(about, indent=2) + "\n")
        described = {"version": own.version, "target": target.tag}
        (folder / "sbom.cdx.json").write_text(bill_of_materials(wheels, packed, described))
        (folder / "LICENCES.md").write_text(licences(wheels))
        (folder / "requirements.txt").write_text(requirements(wheels))
        shutil.copy(Path(__file__).with_name("station_installer.py"), folder / "__main__.py")
        output.mkdir(parents=True, exist_ok=True)
        file = output / f"{name}.pyz"
        digest = pack(folder, file)
        file.with_name(f"{file.name}.sha256").write_text(f"{digest}  {file.name}\n")
    return file, digest


if __name__ == "__main__":
    sys.exit(main())
