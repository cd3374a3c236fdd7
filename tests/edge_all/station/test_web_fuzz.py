"""A thousand requests and more, generated from the API's own description: nothing but clean answers."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_all.station.desk import Station
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served

pytestmark = pytest.mark.deploy

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
"""Left out: that whatever the description allows is done. Only the store knows what its slides and kinds are called."""


def test_generated_requests_get_nothing_but_clean_answers(tmp_path: Path, slide_with_image: Callable[..., str]) -> None:
    pytest.importorskip("schemathesis")
    with (
        Station(tmp_path / "station") as station,
        served(web_application(station), "127.0.0.1", 0) as address,
    ):
        slide_with_image(station, tmp_path / "images", "S", ["ALL", "non-ALL", "indeterminate", None])
        command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"]
        command += [f"{address}api/v1/openapi.json", "--header", "Edge-All-Reader: fuzz", "--checks", ",".join(CHECKS)]
        command += ["--exclude-path", "/api/v1/events", "--phases", "coverage,fuzzing", "--max-examples", "20"]
        command += [
            "--seed",
            "1",
            "--no-shrink",
            "--no-color",
            "--generation-database",
            "none",
            "--continue-on-failure",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=280)
    generated = re.search(r"(\d+) generated", done.stdout)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert generated is not None
    assert int(generated[1]) >= 1000
