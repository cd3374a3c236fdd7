"""A bundle is a whole installation: with nothing that runs a network it is refused before anything is fetched."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from edge_all.session.installation import ONNXRUNTIME_DISTRIBUTIONS
from edge_all.wording.extras import RUNTIMES, install_words

ROOT = Path(__file__).parents[2]


def test_a_bundle_without_a_runtime_is_refused() -> None:
    made = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "bundle"), "parquet"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 2
    assert "no ONNX Runtime" in made.stderr


@pytest.mark.parametrize(("extra", "bundled"), [("parquet", "cpu,parquet"), ("gpu,station", "gpu,station")])
def test_the_bundle_that_a_message_names_brings_a_runtime(extra: str, bundled: str) -> None:
    assert f"'.[{extra}]'" in install_words(extra)
    assert f"deploy/bundle {bundled}'" in install_words(extra)


def test_the_extras_with_a_runtime_are_those_that_install_one() -> None:
    assert {extra for extra in ONNXRUNTIME_DISTRIBUTIONS.values() if extra is not None} == RUNTIMES


def test_what_is_to_be_typed_on_the_station_names_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "deploy" / "bundle"))
    main = runpy.run_path(str(ROOT / "deploy" / "bundle" / "__main__.py"), run_name="bundle")
    assert main["install_line"]("linux-x86_64", "b.pyz") == "python3 b.pyz --into /opt/edge-all"
    assert main["install_line"]("windows-amd64", "b.pyz").startswith("py b.pyz --into ")
