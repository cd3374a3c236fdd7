"""Installing, finding, listing and packing model packages; archives that are refused."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import re
import shutil
import socket
import stat
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from edge_all.classification.verification import check_networks
from edge_all.errors import (
    ModelError,
    ModelIncompatibleError,
    ModelIntegrityError,
    ModelNotFoundError,
    OutputError,
    UsageError,
)
from edge_all.model import archive as archives
from edge_all.model import store
from edge_all.model.archive import download, pack, unpack
from edge_all.model.package import ModelPackage, default_package_path, load_package, sha256_of, write_card
from edge_all.model.store import find_package, install, list_packages, store_path
from edge_all.segmentation.outline_network import embedded_outlines


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model store of the test's own, on every system."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return store_path()


@pytest.fixture
def archive(tiny_package: Path, tmp_path: Path) -> Path:
    pack(load_package(tiny_package), tmp_path / "tiny.zip")
    return tmp_path / "tiny.zip"


def nothing_is_left(own_store: Path) -> bool:
    return not own_store.exists() or list(own_store.iterdir()) == []


def rebuild(archive: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change the files of an archive, with right zip checksums."""
    with zipfile.ZipFile(archive) as packed:
        files = {name: packed.read(name) for name in packed.namelist()}
    change(files)
    with zipfile.ZipFile(archive, "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)


# --- The way that works.


@pytest.mark.parametrize("form", ["folder", "archive"])
def test_an_installed_package_is_found_by_its_name(
    tiny_package: Path, archive: Path, own_store: Path, form: str
) -> None:
    installed = install(str(tiny_package if form == "folder" else archive), check_networks)
    assert installed.path == own_store / "tiny" / "1.0"
    for name in ("tiny", "tiny@1.0", str(installed.path)):
        assert find_package(name) == installed
    assert sorted(file.name for file in installed.path.iterdir()) == ["card.json", "features.npz", "model.fp32.onnx"]
    assert [entry.name for entry in own_store.iterdir()] == ["tiny"]
    assert installed in [one.package for one in list_packages()]


def test_only_what_the_card_names_is_installed(tiny_package: Path) -> None:
    (tiny_package / "notes.txt").write_text("patient: Jane")
    assert not (install(str(tiny_package), check_networks).path / "notes.txt").exists()


def test_installing_twice_changes_nothing_and_another_package_never_overwrites(
    tiny_package_factory: Callable[..., Path],
) -> None:
    first = tiny_package_factory()
    installed = install(str(first), check_networks)
    before = (installed.path / "card.json").stat()
    assert install(str(first), check_networks) == installed
    assert (installed.path / "card.json").stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(OutputError, match="another package"):
        install(str(tiny_package_factory(temperature=3.0)), check_networks)
    assert find_package("tiny") == installed


def test_the_newest_version_answers_to_the_bare_name(tiny_package_factory: Callable[..., Path]) -> None:
    for version in ("1.9", "1.10", "1.10rc1", "1.2"):
        install(str(tiny_package_factory(version=version)), check_networks)
    assert find_package("tiny").card.version == "1.10"
    assert find_package("tiny@1.2").card.version == "1.2"
    with pytest.raises(ModelNotFoundError, match=r"tiny@7"):
        find_package("tiny@7")


def test_the_embedded_package_answers_to_its_own_name_and_no_other_may_have_it(
    tiny_package_factory: Callable[..., Path], own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = tiny_package_factory(name="house", version="2.0")
    monkeypatch.setattr(store, "default_package_path", lambda: embedded)
    for name in ("house", "house@2.0", "default"):
        assert find_package(name).path == embedded
    with pytest.raises(ModelNotFoundError, match=r"house@1\.0"):
        find_package("house@1.0")
    with pytest.raises(ModelIncompatibleError, match="under another name"):
        install(str(tiny_package_factory(name="house", version="1.0")), check_networks)
    assert nothing_is_left(own_store)


def test_a_broken_embedded_package_is_in_nobody_s_way(tiny_package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "default_package_path", lambda: tiny_package / "nowhere")
    assert install(str(tiny_package), check_networks) == find_package("tiny")


@pytest.mark.parametrize("name", ["nothing", "../tiny", "", "a/b", "tiny@../1.0"])
def test_what_is_not_there_is_not_found(tiny_package: Path, name: str) -> None:
    install(str(tiny_package), check_networks)
    with pytest.raises(ModelNotFoundError):
        find_package(name or "?")


def test_a_package_that_went_bad_is_listed_with_its_problem(tiny_package: Path) -> None:
    installed = install(str(tiny_package), check_networks)
    with (installed.path / "model.fp32.onnx").open("ab") as stream:
        stream.write(b"!")
    (bad,) = [one for one in list_packages() if not one.embedded]
    assert bad.package is None
    assert "model.fp32.onnx" in str(bad.problem)
    assert (bad.name, bad.version) == ("tiny", "1.0")


def flip(installed: Path) -> None:
    content = bytearray((installed / "model.fp32.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (installed / "model.fp32.onnx").write_bytes(content)


def break_card(installed: Path) -> None:
    (installed / "card.json").write_text("{")


def lose_card(installed: Path) -> None:
    (installed / "card.json").unlink()


@pytest.mark.parametrize("harm", [flip, break_card, lose_card])
def test_installing_again_replaces_a_damaged_copy(archive: Path, own_store: Path, harm: Callable[[Path], None]) -> None:
    installed = install(str(archive), check_networks)
    harm(installed.path)
    (bad,) = [one for one in list_packages() if not one.embedded]
    assert (bad.name, bad.version, bad.package) == ("tiny", "1.0", None)
    assert install(str(archive), check_networks) == installed
    assert load_package(installed.path) == installed
    assert [entry.name for entry in own_store.iterdir()] == ["tiny"]
    assert [entry.name for entry in (own_store / "tiny").iterdir()] == ["1.0"]


def test_a_damaged_copy_with_a_user_s_files_goes_aside_and_the_user_is_told(archive: Path, own_store: Path) -> None:
    kept = own_store.with_name("damaged-models")
    for number, place in enumerate((kept / "tiny-1.0", kept / "tiny-1.0-2")):
        installed = install(str(archive), check_networks)
        break_card(installed.path)
        (installed.path / "notes").mkdir()
        (installed.path / "notes" / "ours.txt").write_text(f"ours {number}")
        status, output = run("install", str(archive))
        assert status == 0
        assert f"it lies in {place} now" in output
        assert (place / "notes" / "ours.txt").read_text() == f"ours {number}"
        assert (place / "card.json").read_text() == "{"
        assert load_package(installed.path) == installed
        assert [one.path for one in list_packages() if not one.embedded] == [installed.path]


def test_a_damaged_copy_stays_until_its_successor_is_sound(
    archive: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = install(str(archive), check_networks).path
    flip(installed)
    before = {file.name: file.read_bytes() for file in installed.iterdir()}

    def refuse(package: ModelPackage) -> None:
        raise ModelIncompatibleError(f"{package.path} is foreign.", "Do not use it.")

    with pytest.raises(ModelIncompatibleError, match="foreign"):
        install(str(archive), refuse)
    rename = Path.rename

    step = "package"

    def failing(source: Path, target: Path) -> Path:
        if source.name in ("package", ".1.0.ready") and source.name == step:
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)
    for step in ("package", ".1.0.ready"):  # noqa: B007 - read by `failing`
        with pytest.raises(OutputError, match="No space left"):
            install(str(archive), check_networks)
    assert {file.name: file.read_bytes() for file in installed.iterdir()} == before
    assert [entry.name for entry in own_store.iterdir()] == ["tiny"]


def test_a_package_of_a_newer_edge_all_is_not_taken_for_a_damaged_one(
    archive: Path, edit_card: Callable[..., None]
) -> None:
    card = install(str(archive), check_networks).path / "card.json"
    edit_card(card.parent, lambda record: record.update(schema=99))
    newer = card.read_bytes()
    with pytest.raises(OutputError, match="cannot be used here"):
        install(str(archive), check_networks)
    assert card.read_bytes() == newer


def test_an_archive_is_the_same_bytes_every_time_and_its_sums_are_right(tiny_package: Path, tmp_path: Path) -> None:
    package = load_package(tiny_package)
    first, second = pack(package, tmp_path / "a.zip"), pack(package, tmp_path / "b.zip")
    assert first == second == sha256_of(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert f"{package.card.variants['fp32'].sha256}  model.fp32.onnx" in packed.read("SHA256SUMS").decode()
    with pytest.raises(OutputError, match="exists already"):
        pack(package, tmp_path / "a.zip")
    with pytest.raises(OutputError, match="Cannot write"):
        pack(package, tmp_path / "a.zip" / "b.zip")
    assert not list(tmp_path.glob(".*")), "nothing unfinished is left"


def test_one_folder_around_the_files_is_taken_off(archive: Path) -> None:
    def wrap(files: dict[str, bytes]) -> None:
        del files["SHA256SUMS"]
        for name in list(files):
            files[f"tiny-1.0/{name}"] = files.pop(name)

    rebuild(archive, wrap)
    assert install(str(archive), check_networks).card.name == "tiny"


# --- What is refused.


def edit_packed(files: dict[str, bytes], **values: object) -> None:
    record = json.loads(files["card.json"]) | values
    del record["card_sha256"]
    record["card_sha256"] = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    files["card.json"] = json.dumps(record).encode()


@pytest.mark.parametrize(
    ("change", "error", "problem"),
    [
        (lambda files: files.update({"model.fp32.onnx": b"?"}), ModelIntegrityError, r"model\.fp32\.onnx in"),
        (lambda files: (files.pop("SHA256SUMS"), files.update({"features.npz": b""})), ModelIntegrityError, "is not"),
        (lambda files: files.update({"notes.txt": b""}), ModelIntegrityError, "changed after it was packed"),
        (lambda files: files.pop("model.fp32.onnx"), ModelIntegrityError, "missing"),
        (lambda files: (files.pop("SHA256SUMS"), files.pop("model.fp32.onnx")), ModelIntegrityError, "lacks"),
        (lambda files: (files.pop("SHA256SUMS"), files.pop("card.json")), ModelNotFoundError, "no model package"),
        (lambda files: edit_packed(files, version="1.1"), ModelIntegrityError, r"card\.json"),
        (lambda files: (files.pop("SHA256SUMS"), edit_packed(files, schema=99)), ModelIncompatibleError, "schema 99"),
        (lambda files: (files.pop("SHA256SUMS"), edit_packed(files, name="../x")), ModelIncompatibleError, "as '"),
        (lambda files: (files.pop("SHA256SUMS"), edit_packed(files, name="default")), ModelIncompatibleError, "as '"),
        (lambda files: files.update({"SHA256SUMS": b"\xff\n"}), ModelIntegrityError, "SHA256SUMS"),
        (lambda files: files.update({"../evil": b""}), ModelIntegrityError, "climbs out"),
        (lambda files: files.update({"/evil": b""}), ModelIntegrityError, "climbs out"),
        (lambda files: files.update({"..\\evil": b""}), ModelIntegrityError, "climbs out"),
        (lambda files: files.update({"C:evil": b""}), ModelIntegrityError, "climbs out"),
        (lambda files: files.update({"a/../../evil": b""}), ModelIntegrityError, "climbs out"),
        (lambda files: files.update({"a/b/evil": b""}), ModelIntegrityError, "several folders"),
        (lambda files: files.update({"a/evil": b""}), ModelIntegrityError, "several folders"),
        (lambda files: files.update({"CARD.json": b""}), ModelIntegrityError, "same name"),
        (lambda files: files.update({f"x{n}": b"" for n in range(99)}), ModelIntegrityError, "more than 64"),
    ],
)  # fmt: skip
def test_an_archive_that_is_not_what_it_says_is_refused(
    archive: Path, own_store: Path, tmp_path: Path, change: Callable, error: type, problem: str
) -> None:
    rebuild(archive, change)
    with pytest.raises(error, match=problem):
        install(str(archive), check_networks)
    assert nothing_is_left(own_store)
    assert not list(tmp_path.rglob("evil"))


def test_a_link_in_an_archive_is_refused(archive: Path, own_store: Path) -> None:
    link = zipfile.ZipInfo("features.link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(ModelIntegrityError, match="link"):
        install(str(archive), check_networks)
    assert nothing_is_left(own_store)


@pytest.mark.parametrize("position", np.linspace(0, 0.9999, 40))
def test_one_flipped_byte_anywhere_in_an_archive_is_refused(archive: Path, own_store: Path, position: float) -> None:
    content = bytearray(archive.read_bytes())
    content[int(position * len(content))] ^= 0x10
    archive.write_bytes(content)
    with pytest.raises(ModelError):
        install(str(archive), check_networks)
    assert nothing_is_left(own_store)


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + b"\x00" * 18, b"no zip"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, own_store: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(ModelError):
        install(str(tmp_path / "x.zip"), check_networks)
    assert nothing_is_left(own_store)


def test_an_archive_cannot_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SIZE_LIMIT", 1_000_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("card.json", b"\0" * 5_000_000)
    with pytest.raises(ModelIntegrityError, match="unpacks to more"):
        unpack(tmp_path / "bomb.zip", tmp_path / "out")
    assert sum(file.stat().st_size for file in (tmp_path / "out").iterdir()) <= 1_000_000


def test_a_foreign_network_is_refused_although_every_hash_is_right(
    tiny_package: Path, own_store: Path, tiny_network: Callable[..., None], edit_card: Callable[..., None]
) -> None:
    tiny_network(tiny_package / "model.fp32.onnx", 32, {}, image="input_1")
    edit_card(tiny_package)
    with pytest.raises(ModelIncompatibleError, match="input_1"):
        install(str(tiny_package), check_networks)
    assert nothing_is_left(own_store)


def test_a_network_of_an_opset_that_the_runtime_cannot_run_is_refused(
    tiny_package: Path, own_store: Path, edit_card: Callable[..., None]
) -> None:
    import onnx

    network = onnx.load(tiny_package / "model.fp32.onnx")
    network.opset_import[0].version = 9999
    (tiny_package / "model.fp32.onnx").write_bytes(network.SerializeToString())
    edit_card(tiny_package)
    with pytest.raises(ModelIncompatibleError, match=r"cannot open.*Opset 9999") as refused:
        install(str(tiny_package), check_networks)
    assert "newer onnxruntime" in refused.value.remedy
    assert nothing_is_left(own_store)


def test_a_wrong_hash_of_the_archive_is_refused(archive: Path, tiny_package: Path) -> None:
    with pytest.raises(ModelIntegrityError, match="was expected"):
        install(str(archive), check_networks, sha256="0" * 64)
    assert install(str(archive), check_networks, sha256=sha256_of(archive).upper()).card.name == "tiny"
    with pytest.raises(UsageError, match="a folder was given"):
        install(str(tiny_package), check_networks, sha256="0" * 64)


def test_nothing_there_to_install(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no file or folder"):
        install(str(tmp_path / "x.zip"), check_networks)


def test_a_store_that_cannot_be_written_is_an_output_error(
    tiny_package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(store, "store_path", lambda: tmp_path / "file" / "models")
    with pytest.raises(OutputError, match="model store"):
        install(str(tiny_package), check_networks)


def test_a_full_disk_leaves_no_half_package(
    tiny_package: Path, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        install(str(tiny_package), check_networks)
    assert nothing_is_left(own_store)


# --- Addresses. No test opens a connection.


class FakeWeb:
    """Answers an address with bytes."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, address: str, timeout: float) -> io.BytesIO:
        assert address == "https://models.example/tiny.zip"
        assert timeout > 0
        return io.BytesIO(self.content)


def test_an_address_is_fetched_verified_and_installed(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: FakeWeb(archive.read_bytes()))
    address = "https://models.example/tiny.zip"
    assert install(address, check_networks, sha256=sha256_of(archive)).card.name == "tiny"
    with pytest.raises(ModelIntegrityError, match="was expected"):
        install(address, check_networks, sha256="0" * 64)
    with pytest.raises(UsageError, match="no hash"):
        install(address, check_networks)


@pytest.mark.parametrize("address", ["http://models.example/a.zip", "ftp://x/a.zip", "file:///etc/passwd"])
def test_only_https_is_fetched(address: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an https"):
        install(address, check_networks, sha256="0" * 64)
    with pytest.raises(UsageError, match="not an https"):
        download(address, tmp_path / "x")


def test_a_redirection_away_from_https_is_not_followed() -> None:
    handler = archives._HttpsOnly()
    request = urllib.request.Request("https://models.example/a")
    with pytest.raises(UsageError, match="not an https"):
        handler.redirect_request(request, io.BytesIO(), 302, "Found", {}, "http://models.example/a")


def test_a_download_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SIZE_LIMIT", 1000)
    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: FakeWeb(b"x" * 5000))
    with pytest.raises(ModelIntegrityError, match="larger than"):
        download("https://models.example/tiny.zip", tmp_path / "x")


@pytest.mark.parametrize("drips", ["its content", "its headers"])
def test_a_server_that_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drips: str) -> None:
    def serve(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            head = b"HTTP/1.1 200 OK\r\n"
            connection.sendall(head if drips == "its headers" else head + b"\r\n")
            for _ in range(200):
                connection.sendall(b"X")
                time.sleep(0.05)

    monkeypatch.setattr(archives, "require_https", lambda _: None)
    monkeypatch.setattr(archives, "_LONGEST_DOWNLOAD_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve, args=[listening], daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(ModelNotFoundError, match="Cannot fetch"):
            download(f"http://127.0.0.1:{listening.getsockname()[1]}/a.zip", tmp_path / "x")
    assert time.monotonic() - begun < 4


def test_an_address_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="Cannot fetch"):
        download("https://127.0.0.1:1/a.zip", tmp_path / "x")


# --- The verbs.


def run(*arguments: str) -> tuple[int, str]:
    import typer

    from edge_all.cli import model

    app = typer.Typer()
    model.register(app)
    app.callback()(lambda: None)
    result = CliRunner().invoke(app, ["model", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_pack_install_verify_show_and_list_by_command(tiny_package: Path, tmp_path: Path, own_store: Path) -> None:
    archive = tmp_path / "packed.zip"
    status, output = run("pack", str(archive), str(tiny_package))
    assert (status, output.split()[0]) == (0, sha256_of(archive))
    status, output = run("install", str(archive), "--sha256", output.split()[0])
    assert status == 0
    assert "--model tiny@1.0" in output
    status, output = run("verify", "tiny")
    assert status == 0
    assert "met" in output
    status, output = run("show", "tiny")
    assert status == 0
    for fact in ("Research Use Only", "Made for tests.", "0.650", "not gated"):
        assert fact in output
    assert "all_from" not in output
    status, output = run("show", "tiny", "--full")
    for fact in ("Research Use Only", "made for tests", "all_from", "0.65"):
        assert fact in output
    status, output = run("show", "tiny", "--json")
    assert json.loads(output)["name"] == "tiny"
    _, output = run("list", "--json")
    assert {"name": "tiny", "version": "1.0", "variants": ["fp32"]}.items() <= json.loads(output)[-1].items()
    with (own_store / "tiny" / "1.0" / "model.fp32.onnx").open("ab") as stream:
        stream.write(b"!")
    status, output = run("list", "--json")
    assert status == 1
    assert {"name": "tiny", "version": "1.0", "variants": []}.items() <= json.loads(output)[-1].items()
    status, output = run("list")
    assert status == 1
    assert "?" not in output
    with pytest.raises(ModelIntegrityError):
        run("verify", "tiny")


def test_an_archive_is_verified_without_being_installed(archive: Path, own_store: Path) -> None:
    status, output = run("verify", str(archive))
    assert status == 0
    assert "met" in output
    assert f"{sha256_of(archive)}  {archive}" in output
    assert nothing_is_left(own_store)
    rebuild(archive, lambda files: files.update({"model.fp32.onnx": b"?"}))
    with pytest.raises(ModelIntegrityError, match=r"model\.fp32\.onnx in"):
        run("verify", str(archive))


def test_an_archive_is_no_model_and_the_message_says_what_to_type(archive: Path) -> None:
    with pytest.raises(ModelNotFoundError) as refused:
        run("show", str(archive))
    assert refused.value.remedy.endswith(f"edge-all model install {archive}")


def test_verify_fails_where_the_golden_answers_are_missed(tiny_package: Path) -> None:
    package = load_package(tiny_package)
    wrong = dataclasses.replace(package.card.variants["fp32"], golden=[0.9, 0.9, 0.9, 0.9])
    package.card.variants["fp32"] = wrong
    write_card(tiny_package, package.card)
    status, output = run("verify", str(tiny_package))
    assert status == 1
    assert "MISSED" in output


def test_verify_is_also_about_the_network_that_outlines_cells(tiny_package: Path) -> None:
    status, output = run("verify", str(tiny_package), "--json")
    outlines = json.loads(output)["outlines"]
    assert (status, outlines["golden_answers"], outlines["sha256"]) == (0, True, embedded_outlines().sha256)
    embedded = load_package(default_package_path())
    assert embedded.card.outlines is not None
    shutil.copy(embedded.path / embedded.card.outlines["file"], tiny_package)
    own = embedded.card.outlines | {"golden": [0.5, 0.5, 0.5, 0.5]}
    write_card(tiny_package, dataclasses.replace(load_package(tiny_package).card, outlines=own))
    status, output = run("verify", str(tiny_package))
    assert status == 1
    assert re.search(r"│ outlines .*\n│ of cells", output)
    assert "MISSED" in output


def test_the_verbs_load_nothing_heavy_before_they_run() -> None:
    import subprocess

    code = (
        "import sys, typer, edge_all.cli.model as m, edge_all.cli.doctor as d; a = typer.Typer();"
        "m.register(a); d.register(a);"
        "sys.exit(any(name in sys.modules for name in ('cv2', 'onnxruntime', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
