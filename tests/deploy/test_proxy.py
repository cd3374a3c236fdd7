"""The door before a station: nginx with TLS, as the recipe has it."""

from __future__ import annotations

import base64
import http.client
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

RECIPE = Path(__file__).parents[2] / "deploy" / "proxy" / "nginx.conf"
pytest.importorskip("uvicorn")
pytestmark = [pytest.mark.deploy, pytest.mark.filterwarnings("default")]


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    nginx, openssl = shutil.which("nginx", path="/usr/sbin:/usr/bin"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx or openssl is not installed")
    folder = tmp_path_factory.mktemp("door")
    new_key = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run(
        [openssl, *new_key, "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True
    )
    hashed = subprocess.run([openssl, "passwd", "-6", "secret"], capture_output=True, text=True, check=True).stdout
    (folder / "users").write_text(f"ann:{hashed}")
    outside, inside = free_port(), free_port()
    recipe = RECIPE.read_text()
    for theirs, ours in {
        "listen 443": f"listen 127.0.0.1:{outside}",
        "/etc/ssl/edge-all.crt": str(folder / "crt"),
        "/etc/ssl/private/edge-all.key": str(folder / "key"),
        "/etc/edge-all.users": str(folder / "users"),
        "8470": str(inside),
    }.items():
        assert theirs in recipe
        recipe = recipe.replace(theirs, ours)
    places = " ".join(
        f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; user root; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; {places} {recipe} }}"
    )
    command = [sys.executable, "-m", "edge_all", "station", "--station", str(folder / "station"), "--port", str(inside)]
    station = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    server = subprocess.Popen([nginx, "-p", folder, "-c", folder / "nginx.conf"])
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                if ask(outside, "GET", "/readyz") == 200:
                    break
            except OSError:
                continue
        yield outside
    finally:
        for process in (server, station):
            process.terminate()
            process.wait()


def ask(port: int, method: str, path: str, *, password: str | None = "secret", **headers: str) -> int:  # noqa: S107
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=ssl._create_unverified_context(), timeout=10)  # noqa: S323
    sent = {"Host": f"localhost:{port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
    if password is not None:
        sent["Authorization"] = "Basic " + base64.b64encode(f"ann:{password}".encode()).decode()
    with closing(connection):
        connection.request(method, path, body="{}" if method == "POST" else None, headers=sent)
        return connection.getresponse().status


def test_the_door_asks_for_a_password(door: int) -> None:
    assert ask(door, "GET", "/readyz", password=None) == 401
    assert ask(door, "GET", "/readyz", password="wrong") == 401  # noqa: S106
    assert ask(door, "GET", "/readyz") == 200
    assert ask(door, "GET", "/openapi.json") in (200, 404)


def test_pages_of_other_sites_cause_nothing(door: int) -> None:
    own = f"https://localhost:{door}"
    nowhere = "/api/v1/slides/ABCDEFGH/undo"
    assert ask(door, "POST", nowhere, Content_Type="application/json", Origin="https://elsewhere.example") == 403
    assert ask(door, "POST", nowhere, Content_Type="application/json", Sec_Fetch_Site="cross-site", Origin=own) == 403
    # The station's own page gets as far as being told that it has to say a name first, or that there is no such slide.
    assert ask(door, "POST", nowhere, Content_Type="application/json", Origin=own) in (401, 404, 422)
