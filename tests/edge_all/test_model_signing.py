"""Packages that are signed, and stations that accept no others."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_all.classification.classifier import load_classifier
from edge_all.classification.verification import check_networks
from edge_all.cli.main import build_app
from edge_all.doctor.packages import check_signatures
from edge_all.errors import EdgeAllError, MissingPackageError, ModelIntegrityError, ModelUntrustedError, OutputError
from edge_all.model import signing, trust
from edge_all.model.archive import pack
from edge_all.model.package import default_package_path, load_package
from edge_all.model.signing import new_key, read_public_key, sign
from edge_all.model.store import find_package, install
from edge_all.model.trust import require_accepted, signature_state

pytest.importorskip("cryptography")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folders of the test's own."""
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("EDGE_ALL_SIGNED_ONLY", raising=False)
    monkeypatch.delenv("EDGE_ALL_TRUSTED_KEYS", raising=False)
    return tmp_path


@pytest.fixture
def maker(tmp_path: Path) -> Path:
    """A private key, whose public one is not trusted yet."""
    new_key(tmp_path / "maker.pem")
    return tmp_path / "maker.pem"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(), list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def state(folder: Path) -> str:
    return signature_state(load_package(folder)).status


def test_a_signature_is_trusted_once_its_key_is(tiny_package: Path, maker: Path) -> None:
    assert state(tiny_package) == "unsigned"
    before = {file.name: file.read_bytes() for file in tiny_package.iterdir()}
    sign(load_package(tiny_package), maker)
    assert {name: (tiny_package / name).read_bytes() for name in before} == before
    assert state(tiny_package) == "unknown key"
    name, fingerprint = trust.trust(maker.with_name("maker.pub.pem"))
    assert signature_state(load_package(tiny_package)).words == f"signed by {name}, key {fingerprint}"
    assert re.fullmatch(r"([0-9a-f]{4}-){7}[0-9a-f]{4}", fingerprint)
    assert (maker.stat().st_mode & 0o077 == 0) or sys.platform == "win32"


def test_a_card_that_was_changed_and_sealed_again_is_not_what_was_signed(
    tiny_package: Path, maker: Path, edit_card: Callable[..., None]
) -> None:
    sign(load_package(tiny_package), maker)
    trust.trust(maker.with_name("maker.pub.pem"))
    assert state(tiny_package) == "trusted"
    edit_card(tiny_package, lambda card: card["variants"]["fp32"]["thresholds"].update(all_from=0.99))
    assert state(tiny_package) == "changed"
    with pytest.raises(ModelIntegrityError, match="NOT what key"):
        install(str(tiny_package), check_networks)


@pytest.mark.parametrize("signature", [b"", b"{}", b"[]", b"\xff", b'{"algorithm": "none"}', b"[" * 9999])
def test_a_damaged_signature_is_none_to_trust(tiny_package: Path, signature: bytes) -> None:
    (tiny_package / "card.sig").write_bytes(signature)
    assert state(tiny_package) == "changed"


def test_every_flipped_digit_of_a_signature_is_seen(tiny_package: Path, maker: Path) -> None:
    sign(load_package(tiny_package), maker)
    trust.trust(maker.with_name("maker.pub.pem"))
    genuine = json.loads((tiny_package / "card.sig").read_text())
    for key in ("public_key", "signature"):
        for place in range(0, len(genuine[key]), 5):
            digit = "0" if genuine[key][place] != "0" else "1"
            changed = genuine | {key: genuine[key][:place] + digit + genuine[key][place + 1 :]}
            (tiny_package / "card.sig").write_text(json.dumps(changed))
            assert state(tiny_package) == "changed"


@pytest.mark.parametrize("how", ["unsigned", "unknown key", "changed"])
def test_a_station_for_signed_packages_takes_no_others(
    tiny_package: Path, maker: Path, edit_card: Callable[..., None], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how != "unsigned":
        sign(load_package(tiny_package), maker)
    if how == "changed":
        trust.trust(maker.with_name("maker.pub.pem"))
        edit_card(tiny_package, lambda card: card.update(created="2027-01-01"))
    monkeypatch.setenv("EDGE_ALL_SIGNED_ONLY", "1")
    uses = (lambda: load_classifier(str(tiny_package)), lambda: install(str(tiny_package), check_networks))
    for use in uses:
        with pytest.raises(ModelUntrustedError, match=signature_state(load_package(tiny_package)).words[:12]):
            use()
    monkeypatch.setenv("EDGE_ALL_SIGNED_ONLY", "0")
    load_classifier(str(tiny_package))


def test_a_station_for_signed_packages_takes_trusted_ones_and_the_embedded_one(
    tiny_package: Path, maker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_ALL_SIGNED_ONLY", "1")
    sign(load_package(tiny_package), maker)
    pack(load_package(tiny_package), tmp_path / "tiny.zip")
    assert check_signatures().status == "warning"
    trust.trust(maker.with_name("maker.pub.pem"))
    installed = install(str(tmp_path / "tiny.zip"), check_networks)
    assert signature_state(installed).status == "trusted"
    assert load_classifier("tiny").identity.card_sha256 == installed.card_sha256
    require_accepted(load_package(default_package_path()))
    assert check_signatures().status == "ok"
    assert "maker" in check_signatures().finding


def test_an_installed_package_gets_its_signature_later(tiny_package: Path, maker: Path) -> None:
    installed = install(str(tiny_package), check_networks).path
    sign(load_package(tiny_package), maker)
    assert install(str(tiny_package), check_networks).path == installed
    assert state(installed) == "unknown key"


def test_without_the_library_nothing_is_taken_for_checked(
    tiny_package: Path, maker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(load_package(tiny_package), maker)
    trust.trust(maker.with_name("maker.pub.pem"))
    for module in (signing, trust):
        monkeypatch.setattr(module, "can_check_signatures", lambda: False)
    assert state(tiny_package) == "not checked"
    monkeypatch.setenv("EDGE_ALL_SIGNED_ONLY", "yes")
    with pytest.raises(ModelUntrustedError, match="cryptography"):
        load_classifier(str(tiny_package))
    assert check_signatures().status == "problem"
    with pytest.raises(MissingPackageError, match="signing"):
        sign(load_package(tiny_package), maker)


def test_keys_that_are_none_or_taken_are_refused_in_words(tiny_package: Path, maker: Path, tmp_path: Path) -> None:
    public = maker.with_name("maker.pub.pem")
    (tmp_path / "text.pem").write_text("no key")
    for bad in (tmp_path / "text.pem", tmp_path / "nowhere.pem", public):
        with pytest.raises(EdgeAllError, match=re.escape(str(bad))):
            sign(load_package(tiny_package), bad)
    for bad in (tmp_path / "text.pem", tmp_path / "nowhere.pem", maker):
        with pytest.raises(EdgeAllError, match=re.escape(str(bad))):
            read_public_key(bad)
    with pytest.raises(OutputError, match="exists already"):
        new_key(maker)
    trust.trust(public)
    (tmp_path / "other").mkdir()
    new_key(tmp_path / "other" / "maker.pem")
    with pytest.raises(OutputError, match="trusted as maker already"):
        trust.trust(tmp_path / "other" / "maker.pub.pem")
    sign(load_package(tiny_package), maker)
    sign(load_package(tiny_package), maker)
    with pytest.raises(OutputError, match="signed already"):
        sign(load_package(tiny_package), tmp_path / "other" / "maker.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs OpenSSL")
def test_a_key_of_openssl_will_do_and_it_agrees_about_the_signature(tiny_package: Path, tmp_path: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=tmp_path, check=True, capture_output=True)

    openssl("genpkey", "-algorithm", "ed25519", "-out", "own.pem")
    openssl("pkey", "-in", "own.pem", "-pubout", "-out", "own.pub.pem")
    package = load_package(tiny_package)
    sign(package, tmp_path / "own.pem")
    trust.trust(tmp_path / "own.pub.pem")
    assert state(tiny_package) == "trusted"
    (tmp_path / "message").write_bytes(b"edge-all model card, SHA-256: " + package.card_sha256.encode())
    (tmp_path / "signature").write_bytes(
        bytes.fromhex(json.loads((tiny_package / "card.sig").read_text())["signature"])
    )
    openssl(
        *("pkeyutl", "-verify", "-pubin", "-inkey", "own.pub.pem", "-rawin", "-in", "message", "-sigfile", "signature")
    )


def test_the_documented_commands_do_what_the_page_says(
    tiny_package_factory: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tiny_package_factory(name="ours")
    (tmp_path / "packages").mkdir()
    ours.rename(tmp_path / "packages" / "ours")
    monkeypatch.chdir(tmp_path)
    done = []
    for page in ("ml-engineer.md", "station-engineer.md"):
        for line in re.findall(r"^edge-all (model .+)$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE):
            if re.match(r"model (key|sign|trust|pack) ", line):
                status, output = run(*line.split())
                assert status == 0, output
                done.append(line.split()[1])
    assert done == ["key", "sign", "pack", "trust"]
    monkeypatch.setenv("EDGE_ALL_SIGNED_ONLY", "1")
    status, output = run("model", "install", "ours-1.0.zip")
    assert status == 0
    for verb in ("show", "verify"):
        status, output = run("model", verb, "ours")
        assert status == 0
        assert "signed by maker, key" in " ".join(output.split())
    status, output = run("model", "list", "--json")
    assert [one["signature"] for one in json.loads(output)] == ["embedded", "trusted"]
    (find_package("ours").path / "card.sig").unlink()
    status, output = run("model", "verify", "ours")
    assert status == 1
    assert "NOT accepted" in output
