"""Builds what a release consists of: ``python3 deploy/release.py -o dist``.

Wheels and source distributions of all three, checked, with their SHA-256. Needs the packages ``build`` and ``twine``
(extra ``deploy-test``). The release checklist is in ``docs/release.md``.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("bundle")))
from building import DISTRIBUTIONS, BuildError, build


def main() -> int:
    """Build, or say why not; the exit status."""
    parser = argparse.ArgumentParser(description="Builds the wheels and source distributions of a release.")
    parser.add_argument("-o", "--output", type=Path, default=Path("dist"), help="folder (default: %(default)s)")
    out: Path = parser.parse_args().output
    if out.exists():
        print(f"Error: {out} exists already. Name a new folder.", file=sys.stderr)
        return 2
    try:
        files = [file for distribution in DISTRIBUTIONS for file in build(distribution, out)]
    except BuildError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    sums = "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files))
    (out / "SHA256SUMS").write_text(sums)
    print(sums, end="")
    return subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
