"""An install that is killed, at any moment, leaves a model and nothing that the next one does not clear."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_all.errors import OutputError
from edge_all.files.atomic import clear_old_parts
from edge_all.files.folder_claim import held_file
from edge_all.model.archive import pack
from edge_all.model.package import load_package
from edge_all.model.store import install, list_packages, store_path

KILLED_INSTALLS = """
import os, shutil, sys
from pathlib import Path
from edge_all.errors import ModelError
from edge_all.model import package as packages
from edge_all.model.store import find_package, install, list_packages, store_path

archive, harm = sys.argv[1:]
store = store_path()
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "open", "shutil.copyfile", "shutil.rmtree")

def killed_at(step):
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        if event in CHANGES and (event != "open" or "w" in str(arguments[1])):
            seen += 1
            if seen == step:
                os._exit(9)
    sys.addaudithook(hook)

kills = swapped = 0
while True:
    if store.parent.exists():
        shutil.rmtree(store.parent)
    if harm != "none":
        old = install(archive, lambda _: None).path
        (old / "card.json").write_text("{")
        if harm == "user's file":
            (old / "ours.txt").write_text("ours")
    child = os.fork()
    if child == 0:
        killed_at(kills + 1)
        install(archive, lambda _: None)
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
    kills += 1
    swapped += not (store / "tiny" / "1.0").exists()
    packages._digests.clear()
    # What there was is there still, whole or as damaged as it was, or the new one is.
    listed = [one for one in list_packages() if not one.embedded]
    assert [(one.name, one.version) for one in listed] == [("tiny", "1.0")] * len(listed), listed
    assert len(listed) == (harm != "none" or (store / "tiny" / "1.0").exists()), (kills, listed)
    # The next install leaves a model, and nothing else.
    install(archive, lambda _: None)
    find_package("tiny")
    assert [entry.name for entry in store.iterdir()] == ["tiny"], list(store.iterdir())
    assert [entry.name for entry in (store / "tiny").iterdir()] == ["1.0"]
    if harm == "user's file":
        kept = [*store.parent.rglob("ours.txt")]
        assert len(kept) == 1 and kept[0].read_text() == "ours", (kills, kept)
print(kills, swapped)
"""


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return store_path()


@pytest.mark.skipif(sys.platform != "linux", reason="kills forked processes, finds the store by XDG_DATA_HOME")
@pytest.mark.parametrize("harm", ["none", "damaged", "user's file"])
def test_a_killed_install_leaves_a_model_and_no_litter(tiny_package: Path, tmp_path: Path, harm: str) -> None:
    pack(load_package(tiny_package), tmp_path / "tiny.zip")
    command = [sys.executable, "-c", KILLED_INSTALLS, str(tmp_path / "tiny.zip"), harm]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kills, between_the_renames = map(int, done.stdout.split())
    assert kills > 10
    assert (between_the_renames >= 1) or harm == "none"


def test_two_installs_at_once_do_not_clear_each_other_s_files(tiny_package: Path, own_store: Path) -> None:
    (own_store / ".staging-of-another").mkdir(parents=True)
    lock = held_file(own_store / ".edge-all.lock")
    assert lock is not None
    with lock, pytest.raises(OutputError, match="under way"):
        install(str(tiny_package), lambda _: None)
    assert (own_store / ".staging-of-another").exists()
    install(str(tiny_package), lambda _: None)
    assert not (own_store / ".staging-of-another").exists()


def test_a_copy_that_was_about_to_take_its_place_takes_it(
    tiny_package: Path, tiny_package_factory: Callable[..., Path]
) -> None:
    installed = install(str(tiny_package), lambda _: None).path
    installed.rename(installed.with_name(".1.0.ready"))
    assert [one.path for one in list_packages() if not one.embedded] == [installed]
    # One whose place is taken is no successor.
    tiny_package_factory(temperature=3.0).rename(installed.with_name(".1.0.ready"))
    before = load_package(installed)
    assert [one.package for one in list_packages() if not one.embedded] == [before]


def test_only_old_leftovers_of_our_own_name_are_cleared(tmp_path: Path) -> None:
    names = (".0123456789abcdef.part", ".fedcba9876543210.part", ".notes.part", "0123456789abcdef.part")
    for name in names:
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (0, 0))
    os.utime(tmp_path / names[1], (time.time() - 3600,) * 2)
    clear_old_parts(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(names[1:])
