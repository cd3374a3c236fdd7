"""A bundle is whole and for this machine, or it is refused; an installation is whole and well, or the old one stays.

The wheels here are made in code, so that no package index is needed; ``test_a_real_bundle`` makes a real one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "deploy" / "bundle"
TARGET = f"{sys.version_info[0]}.{sys.version_info[1]}"

PROGRAM = """
import sys
def main():
    print("edge-all", {version!r}, *sys.argv[1:])
    sys.exit({doctor})
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> Path:
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
    metadata = f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\nLicense: MIT\n{needs}"
    content = {
        **files,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{one},,\n" for one in [*content, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as file:
        for one, text in {**content, f"{info}/RECORD": record}.items():
            file.writestr(one, text)
    return path


@pytest.fixture(scope="session")
def pip_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small wheel that stands for pip's, which the installer runs: it begins the one that is installed here."""
    import pip

    site = str(Path(pip.__file__).parents[1])
    begin = f"import sys\nsys.path[0] = {site!r}\nfrom pip._internal.cli.main import main\nsys.exit(main())\n"
    return wheel(tmp_path_factory.mktemp("pip"), "pip", pip.__version__, {"pip/__main__.py": begin})


@pytest.fixture
def make_bundle(tmp_path: Path, pip_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """A bundle of a program that only says its version."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from collecting import read_wheel
    from describing import bill_of_materials, licences, requirements
    from packing import pack
    from targets import own_target

    def make(version: str, *, doctor: int = 0, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Path:
        folder = tmp_path / f"content-{version}"
        (folder / "wheels").mkdir(parents=True)
        program = PROGRAM.format(version=version, doctor=doctor)
        files = {"edge_all_main.py": program, f"edge_all-{version}.dist-info/entry_points.txt": ""}
        files[f"edge_all-{version}.dist-info/entry_points.txt"] = "[console_scripts]\nedge-all = edge_all_main:main\n"
        wheel(folder / "wheels", "edge_all", version, files)
        shutil.copy(pip_wheel, folder / "wheels")
        wheels = [read_wheel(path) for path in sorted((folder / "wheels").iterdir())]
        own = own_target()
        name = f"edge-all-{version}"
        about = {
            "name": name,
            "version": version,
            "system": own.system,
            "python": own.python,
            "glibc": "2.17",
            "models": [],
        }
        change(about)
        (folder / "bundle.json").write_text(json.dumps(about))
        (folder / "requirements.txt").write_text(requirements(wheels))
        (folder / "sbom.cdx.json").write_text(bill_of_materials(wheels, [], {"version": version, "target": own.tag}))
        (folder / "LICENCES.md").write_text(licences(wheels))
        shutil.copy(SCRIPTS / "station_installer.py", folder / "__main__.py")
        pack(folder, tmp_path / f"{name}.pyz")
        return tmp_path / f"{name}.pyz"

    return make


def run(bundle: Path, into: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(bundle), "--into", str(into), *words], capture_output=True, text=True, check=False
    )


def says(into: Path) -> str:
    return subprocess.run([into / "bin" / "edge-all"], capture_output=True, text=True, check=False).stdout.strip()


def test_install_update_and_back(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    into = tmp_path / "station"
    first, second, ill = make_bundle("1.0"), make_bundle("2.0"), make_bundle("3.0", doctor=1)
    done = run(first, into)
    assert done.returncode == 0, done.stderr
    assert "edge-all 1.0 doctor" in done.stdout
    assert "edge-all 1.0 is installed (edge-all-1.0)." in done.stdout
    assert says(into) == "edge-all 1.0"
    done = run(second, into)
    assert done.returncode == 0
    assert "(was edge-all-1.0, now edge-all-2.0)" in done.stdout
    assert says(into) == "edge-all 2.0"
    # What the doctor finds fault with never takes its place, and leaves nothing.
    done = run(ill, into)
    assert done.returncode == 2
    assert "doctor" in done.stderr
    assert says(into) == "edge-all 2.0"
    assert sorted(path.name for path in (into / "versions").iterdir()) == ["edge-all-1.0", "edge-all-2.0"]
    # Back: the earlier bundle again. An installation that was cut short is made anew.
    (into / "versions" / "edge-all-1.0" / "complete").unlink()
    done = run(first, into)
    assert done.returncode == 0
    assert "(was edge-all-2.0, now edge-all-1.0)" in done.stdout
    assert says(into) == "edge-all 1.0"
    assert (into / "versions" / "edge-all-1.0" / "sbom.cdx.json").is_file()


def test_without_a_folder_nothing_is_installed(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {**os.environ, "HOME": str(home), "LOCALAPPDATA": str(home)}
    command = [sys.executable, str(make_bundle("1.0"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage:" in done.stderr
    assert "Nothing was installed. Say where to: --into " in done.stderr
    assert not list(home.rglob("*"))


def test_a_changed_byte_is_refused(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    bundle = make_bundle("1.0")
    whole = bundle.read_bytes()
    for place in range(40, len(whole), len(whole) // 12):
        changed = bytearray(whole)
        changed[place] ^= 1
        bundle.write_bytes(changed)
        assert run(bundle, tmp_path / "station").returncode != 0
    for shorter in (whole[:-1], whole[: len(whole) // 2]):
        bundle.write_bytes(shorter)
        assert run(bundle, tmp_path / "station").returncode != 0
    assert not (tmp_path / "station").exists()
    bundle.write_bytes(whole)
    assert run(bundle, tmp_path / "station", "--verify").returncode == 0
    assert not (tmp_path / "station").exists()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("system", "windows-amd64", "is for windows-amd64"),
        ("python", "3.99", "with Python 3.99"),
        ("glibc", "2.99", r"needs glibc 2.99"),
    ],
)
def test_another_machine_is_refused(
    make_bundle: Callable[..., Path], tmp_path: Path, key: str, value: str, words: str
) -> None:
    done = run(make_bundle("1.0", change=lambda about: about.update({key: value})), tmp_path / "station")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_said(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(make_bundle("1.0"), tmp_path / "file" / "station")
    assert done.returncode == 2
    assert "Cannot write" in done.stderr


def test_the_same_content_gives_the_same_file(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    first = make_bundle("1.0").read_bytes()
    for path in (tmp_path / "content-1.0").rglob("*"):
        os.utime(path, (1, 1))
    from packing import pack

    pack(tmp_path / "content-1.0", tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == first


def test_what_a_target_needs_is_asked_for_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import collecting
    from targets import Target

    requires = ('colorama; sys_platform == "win32"', "numpy>=2", 'x; extra == "gpu"', 'y; python_version < "3.12"')
    first = wheel(tmp_path, "edge_all", "1.0", {}, requires)

    def needed(system: str, python: str, *extras: str) -> set[str]:
        return {one.name for one in collecting.read_wheel(first).needs(extras, Target(system, python))}

    assert needed("linux-x86_64", "3.12") == {"numpy"}
    assert needed("windows-amd64", "3.12") == {"numpy", "colorama"}
    assert needed("linux-aarch64", "3.11", "gpu") == {"numpy", "x", "y"}

    asked: list[list[str]] = []

    def download(wanted: list[str], _: Target, folder: Path) -> None:
        asked.append(list(wanted))
        for name in ["edge_all", "numpy", *(["colorama"] if "colorama" in wanted else [])]:
            wheel(folder, name, "2.0", {}, requires if name == "edge_all" else ())

    monkeypatch.setattr(collecting, "_download", download)
    (tmp_path / "wheels").mkdir()
    found = collecting.collect([first], [], Target("windows-amd64", "3.12"), tmp_path / "wheels")
    assert {one.name for one in found} == {"edge-all", "numpy", "colorama"}
    assert len(asked) == 2
    with pytest.raises(collecting.BundleError, match=r"no fitting wheel of x for linux-x86_64-cp312"):
        collecting.collect([first], ["gpu"], Target("linux-x86_64", "3.12"), tmp_path / "wheels")


def test_the_bill_of_materials_is_cyclonedx(make_bundle: Callable[..., Path], tmp_path: Path) -> None:
    make_bundle("1.0")
    text = (tmp_path / "content-1.0" / "sbom.cdx.json").read_text()
    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert {one["name"] for one in document["components"]} == {"edge-all", "pip"}
    validator = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion

    assert validator.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


@pytest.mark.deploy
def test_a_real_bundle_installs_without_a_network(tmp_path: Path) -> None:
    """Needs the package index, and ``unshare`` to cut the network off afterwards."""
    made = subprocess.run(
        [sys.executable, str(SCRIPTS), "cpu", "-o", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    (bundle,) = tmp_path.glob("*.pyz")
    cut_off = ["unshare", "--net", "--map-root-user"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*cut_off, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("the network cannot be cut off here")
    command = [*cut_off, sys.executable, str(bundle), "--into", str(tmp_path / "station")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # The doctor's table; beside the long paths of this folder its names fold.
    assert "golden" in done.stdout
    field = [str(tmp_path / "station" / "bin" / "edge-all"), "demo", "-o", str(tmp_path / "demo")]
    assert subprocess.run([*cut_off, *field], check=False, capture_output=True).returncode in (0, 1)
    assert (tmp_path / "demo" / "report.html").is_file()
