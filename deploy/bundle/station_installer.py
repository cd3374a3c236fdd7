"""The installer in an offline bundle: ``python3 edge-all-....pyz --into FOLDER``.

Needs nothing but Python, and no network. It holds the bundle against its hash and against this machine, installs into
a folder of its own, lets ``edge-all doctor`` look at it, and only then lets the command ``edge-all`` begin it. An
earlier version stays, and running its bundle again goes back to it; what was found and decided lies elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

SEAL = 64
_COMPLETE = "complete"
_WINDOWS = os.name == "nt"


class InstallError(Exception):
    """Nothing was changed; says why."""


def main() -> int:
    """Install, or say why not; the exit status."""
    parser = argparse.ArgumentParser(description="Installs edge-all from this file, without a network.")
    parser.add_argument(
        "--into", type=Path, metavar="FOLDER", help=f"install into this folder, for example {_usual_folder()}"
    )
    parser.add_argument(
        "--verify", action="store_true", help="only look whether this file is whole and fits this machine"
    )
    options = parser.parse_args()
    if options.into is None and not options.verify:
        parser.print_usage(sys.stderr)
        print(f"Nothing was installed. Say where to: --into {_usual_folder()}", file=sys.stderr)
        return 2
    try:
        bundle = Path(sys.argv[0]).resolve()
        about = verify(bundle)
        print(f"{bundle.name} is whole and fits this machine.")
        if options.verify:
            return 0
        into = options.into.resolve()
        before = _begun(_command(into))
        launcher = install(bundle, about, into)
    except InstallError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    change = f"was {before}, now {about['name']}" if before not in (None, about["name"]) else about["name"]
    print(f"edge-all {about['version']} is installed ({change}). Begin it with {launcher}")
    return 0


def _usual_folder() -> Path:
    if _WINDOWS:
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "edge-all-program"
    return Path("/opt/edge-all") if os.geteuid() == 0 else Path.home() / ".local" / "edge-all"


def verify(bundle: Path) -> dict[str, Any]:
    """Hold a bundle against its own hash and against this machine.

    Raises:
        InstallError: it was changed, is cut short, or is for another machine.
    """
    try:
        content = bundle.read_bytes()
        seal = content[-SEAL:]
        if hashlib.sha256(content[:-SEAL] + b"0" * SEAL).hexdigest().encode("ascii") != seal:
            raise InstallError(f"{bundle.name} is not as it was made. Copy it again, and compare its SHA-256.")
        with zipfile.ZipFile(bundle) as file:
            about: dict[str, Any] = json.loads(file.read("bundle.json"))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InstallError(f"{bundle.name} is damaged ({error}). Copy it again.") from error
    own = _own_system(), f"{sys.version_info[0]}.{sys.version_info[1]}"
    if own != (about["system"], about["python"]):
        raise InstallError(
            f"{bundle.name} is for {about['system']} with Python {about['python']}, and this is {own[0]} with Python "
            f"{own[1]}. Make a bundle for this machine, or run it with that Python."
        )
    kind, version = platform.libc_ver()
    if about["system"].startswith("linux") and kind != "glibc":
        raise InstallError(f"{bundle.name} needs the GNU C library, which this machine does not have (Alpine?).")
    if kind == "glibc" and _numbers(version) < _numbers(about["glibc"]):
        raise InstallError(f"{bundle.name} needs glibc {about['glibc']}, and this machine has {version}.")
    return about


def _own_system() -> str:
    kind = {"linux": "linux", "win32": "windows", "darwin": "macos"}.get(sys.platform, sys.platform)
    machine = platform.machine().lower()
    return f"{kind}-{ {'amd64': 'x86_64', 'arm64': 'aarch64'}.get(machine, machine) if kind == 'linux' else machine }"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def install(bundle: Path, about: dict[str, Any], into: Path) -> Path:
    """Install beside what is there, and let the command begin the new one when the doctor has found nothing.

    Args:
        bundle: verified.
        about: its description.
        into: the folder.

    Returns:
        The command.

    Raises:
        InstallError: it did not work; the command then begins what it began before.
    """
    home = into / "versions" / about["name"]
    command = _command(into)
    try:
        if not (home / _COMPLETE).exists():
            if home.exists():  # an installation that was cut short
                shutil.rmtree(home)
            home.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="edge-all-") as unpacked:
                _fill(bundle, home, Path(unpacked), about)
        elif subprocess.run([_inside(home, "edge-all"), "doctor"], check=False).returncode:
            raise InstallError(f"edge-all doctor found something wrong (above). {home} is not begun by the command.")
        _point(command, _inside(home, "edge-all"))
    except OSError as error:
        raise InstallError(f"Cannot write {error.filename or into}: {error.strerror}. Name another folder.") from error
    return command


def _fill(bundle: Path, home: Path, unpacked: Path, about: dict[str, Any]) -> None:
    """Make a whole installation, or none."""
    with zipfile.ZipFile(bundle) as file:
        file.extractall(unpacked)
    try:
        # Without pip of its own: Debian splits off what venv makes it from. The bundle brings one.
        _run([sys.executable, "-m", "venv", "--without-pip", str(home)], "make a virtual environment")
        python = _inside(home, "python")
        (pip,) = (unpacked / "wheels").glob("pip-*.whl")
        options = ["--no-index", "--find-links", str(unpacked / "wheels"), "--require-hashes", "--quiet"]
        wanted = ["-r", str(unpacked / "requirements.txt")]
        _run([python, f"{pip}/pip", "install", "--disable-pip-version-check", *options, *wanted], "install the wheels")
        for name in ("bundle.json", "sbom.cdx.json", "LICENCES.md"):
            shutil.copy(unpacked / name, home / name)
        for model in about["models"]:
            _run([_inside(home, "edge-all"), "model", "install", str(unpacked / "models" / model)], f"install {model}")
        _run([_inside(home, "edge-all"), "doctor"], "pass edge-all doctor (above)")
        (home / _COMPLETE).write_text(about["name"] + "\n")
    except BaseException:
        shutil.rmtree(home, ignore_errors=True)
        raise


def _inside(home: Path, program: str) -> str:
    return str(home / ("Scripts" if _WINDOWS else "bin") / (f"{program}.exe" if _WINDOWS else program))


def _run(command: list[str], purpose: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    # A configuration of the user's pip could name an index.
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PYTHONNOUSERSITE": "1"}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise InstallError(f"Could not {purpose}. Nothing was changed.")


def _command(into: Path) -> Path:
    return into / "bin" / ("edge-all.cmd" if _WINDOWS else "edge-all")


def _begun(command: Path) -> str | None:
    """The name of the bundle whose installation the command begins; None where there is no such command."""
    if not command.is_file():
        return None
    found = re.search(r"[/\\]versions[/\\]([^/\\]+)[/\\]", command.read_text(errors="replace"))
    return found[1] if found else None


def _point(command: Path, program: str) -> None:
    """Let the command begin a program, in one step."""
    text = f'@"{program}" %*\r\n' if _WINDOWS else f'#!/bin/sh\nexec "{program}" "$@"\n'
    command.parent.mkdir(parents=True, exist_ok=True)
    part = command.with_name(f".{command.name}.part")
    part.write_text(text, newline="")
    part.chmod(0o755)
    part.replace(command)


if __name__ == "__main__":
    sys.exit(main())
