"""The server: what it lets in, what it answers, and that each gesture is a review's own."""

from __future__ import annotations

import dataclasses
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from edge_all.errors import UsageError
from edge_all.results import INTENDED_USE, CellKind
from edge_all.station.desk import Station
from edge_all.station.review.settings import StationSettings
from edge_all.station.storage.image_queue import add_to_queue
from edge_all.station.storage.slide_records import SlideRecord, find_or_add_slide, forget_name
from edge_all.station.web.application import web_application
from edge_all.station.web.documents import cells_document
from edge_all.station.web.page_files import files_address
from edge_all.station.web.serving import served
from edge_all.wording.language import LANGUAGE_SETTING, Language

Served = tuple[Station, httpx.Client, Path]
LABELS = ["ALL", "ALL", *["non-ALL"] * 4, "indeterminate", None]


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Served]:
    with (
        Station(tmp_path / "station") as station,
        served(web_application(station), "127.0.0.1", 0) as address,
        httpx.Client(base_url=address, headers={"Edge-All-Reader": "Ada"}) as client,
    ):
        yield station, client, tmp_path / "images"


@pytest.fixture
def code(serving: Served, slide_with_image: Callable[..., str]) -> str:
    station, _, images = serving
    return slide_with_image(station, images, "Smith, J.", LABELS)


def cells_of(client: httpx.Client, code: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = client.get(f"/api/v1/slides/{code}/cells").json()["cells"]
    return cells


def versions(cells: list[dict[str, Any]]) -> dict[str, int]:
    return {cell["id"]: cell["version"] for cell in cells}


def test_a_slide_is_reviewed_undone_signed_and_amended(serving: Served, code: str) -> None:
    _, client, _ = serving
    base = f"/api/v1/slides/{code}"
    cells = cells_of(client, code)
    assert [cell["counts_as"] for cell in cells[:3]] == ["indeterminate", "ALL", "ALL"], "unsure first"
    first = cells[0]

    done = client.post(f"{base}/reclassify", json={"cells": versions([first]), "kind": "lymphocyte"}).json()
    assert done["cells"][0] | {"kind": "lymphocyte", "counts_as": "non-ALL", "decided_by": "Ada"} == done["cells"][0]
    assert done["slide"]["counts"]["indeterminate_cells"] == 0
    undone = client.post(f"{base}/undo", json={}).json()
    assert undone["slide"]["counts"]["indeterminate_cells"] == 1
    assert undone["slide"]["can_redo"]
    client.post(f"{base}/redo", json={}).raise_for_status()

    signing = {"meaning": "reviewed", "reason": "routine", "last_seq": undone["slide"]["last_seq"]}
    refused = client.post(f"{base}/sign", json=signing)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:edge-all:problem:unreviewed-cells")
    assert len(refused.json()["cells"]) == 2
    must = [cell for cell in cells if cell["id"] in refused.json()["cells"]]
    client.post(f"{base}/seen", json={"cells": versions(must)}).raise_for_status()
    signed = client.post(f"{base}/sign", json=signing).json()["slide"]["state"]
    assert (signed["locked"], signed["signed_by"], signed["meaning"]) == (True, "Ada", "reviewed")
    late = client.post(f"{base}/exclude", json={"cells": versions([first])})
    assert (late.status_code, late.json()["type"]) == (409, "urn:edge-all:problem:slide-signed")
    assert client.post(f"{base}/amend", json={"reason": "a second look"}).json()["slide"]["state"]["stage"] == "amended"


@pytest.mark.parametrize(
    ("distance", "is_rejected", "said"),
    [
        (0.1, False, (False, False, True)),
        (0.707, False, (False, True, True)),
        (1.2, False, (True, False, True)),
        (None, True, (False, False, False)),
    ],
)
def test_a_cell_is_unlike_or_rather_unlike_and_its_outline_may_be_unsure(
    station: Station, slide: SlideRecord, distance: float | None, is_rejected: bool, said: tuple[bool, bool, bool]
) -> None:
    view = station.review(slide.code, "Curie").view()
    reviewed = next(cell for cell in view.cells if cell.found is not None and cell.found.kind == "candidate")
    assert reviewed.found is not None
    kind: CellKind = "rejected" if is_rejected else "candidate"
    found = dataclasses.replace(reviewed.found, kind=kind, out_of_distribution=distance, outline_unsure=True)
    (cell,) = cells_document(view, [dataclasses.replace(reviewed, found=found)], Language("en")).cells
    assert (cell.unlike, cell.rather_unlike, cell.outline_unsure) == said
    drawn = dataclasses.replace(reviewed, found=found, circle=(10.0, 10.0, 5.0))
    assert not cells_document(view, [drawn], Language("en")).cells[0].outline_unsure, "that outline is a person's"


def test_a_gesture_that_comes_again_is_done_once(serving: Served, code: str) -> None:
    station, client, _ = serving
    said = {"cells": versions(cells_of(client, code)[:1]), "kind": "ALL", "gesture": "from-this-page-1"}
    numbers = {client.post(f"/api/v1/slides/{code}/reclassify", json=said).json()["seq"] for _ in range(3)}
    assert len(numbers) == 1
    assert station.last_seq() == numbers.pop()


def test_who_is_overtaken_is_told_by_whom_and_may_insist(serving: Served, code: str) -> None:
    _, client, _ = serving
    path = f"/api/v1/slides/{code}/reclassify"
    cell = cells_of(client, code)[0]
    client.post(path, json={"cells": versions([cell]), "kind": "ALL"}).raise_for_status()
    grace = {"Edge-All-Reader": "Gr%C3%A1ce"}
    said = {"cells": versions([cell]), "kind": "monocyte"}
    refused = client.post(path, json=said, headers=grace)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    conflict = refused.json()["conflicts"][0]
    assert (conflict["cell"], conflict["actor"]) == (cell["id"], "Ada")
    done = client.post(path, json=said | {"anyway": True}, headers=grace).json()
    assert done["cells"][0]["decided_by"] == "Gráce"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de", "de"),
        ("fr;q=1, de-AT;q=0.8, en;q=0.7", "de"),
        ("en, de", "en"),
        ("fr", "en"),
        ("*;q=x,,;;", "en"),
        ("", "en"),
    ],
)
def test_what_is_for_people_is_said_in_the_language_that_is_asked_for(
    serving: Served, code: str, asked: str, language: str
) -> None:
    _, client, _ = serving
    client.headers["Accept-Language"] = asked
    base = f"/api/v1/slides/{code}"
    slide = client.get(base).json()
    refused = client.post(
        f"{base}/sign", json={"meaning": "reviewed", "reason": "r", "last_seq": slide["last_seq"]}
    ).json()
    undone = client.post(f"{base}/undo", json={}).json()
    german = ("Zellen sind ALL", "angesehen sein müssen", "Jede Zelle ansehen", "gibt es nichts zurückzunehmen")
    said = (slide["counts"]["verdict_reason"], refused["detail"], refused["remedy"], undone["detail"])
    assert [words in one for words, one in zip(german, said, strict=True)] == [language == "de"] * 4
    assert slide["counts"]["verdict"] == "indeterminate", "names are the same in every language"
    assert {cell["counts_as"] for cell in cells_of(client, code)} == {"ALL", "non-ALL", "indeterminate", "left out"}


def test_a_page_speaks_as_the_station_was_started_else_as_the_browser_does(
    serving: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, client, _ = serving
    client.headers["Accept-Language"] = "de"
    assert '<html lang="en">' in client.get("/").text, "as the tests are started"
    monkeypatch.delenv(LANGUAGE_SETTING)
    assert '<html lang="de">' in client.get("/").text
    client.headers["Accept-Language"] = "en"
    monkeypatch.setenv(LANGUAGE_SETTING, "de")
    assert '<html lang="de">' in client.get("/").text


def test_a_missed_cell_is_drawn_and_its_picture_is_there(serving: Served, code: str) -> None:
    _, client, _ = serving
    base = f"/api/v1/slides/{code}"
    done = client.post(f"{base}/draw", json={"field": 1, "circle": [400, 500, 20], "kind": "ALL"}).json()
    drawn = done["cells"][0]
    assert (drawn["drawn"], drawn["bbox"]) == (True, [380, 480, 40, 40])
    box = dict(zip(("x", "y", "width", "height"), drawn["bbox"], strict=True))
    picture = client.get(f"{base}/fields/1/picture", params=box)
    assert decoded(picture).shape == (128, 128, 3)
    outside = client.post(f"{base}/draw", json={"field": 1, "circle": [4000, 500, 20], "kind": "ALL"})
    assert outside.status_code == 422


def test_pictures_show_the_cell_and_the_whole_field(serving: Served, code: str) -> None:
    _, client, _ = serving
    base = f"/api/v1/slides/{code}"
    cell = cells_of(client, code)[0]
    tile = client.get(f"{base}/cells/{cell['id']}/picture")
    assert decoded(tile)[64, 64, 2] > decoded(tile)[64, 64, 1] + 40, "the nucleus is purple"
    assert "immutable" in tile.headers["cache-control"]
    assert decoded(client.get(f"{base}/fields/1/picture")).shape == (1200, 1600, 3)
    outlines = client.get(f"{base}/fields/1/outlines").json()["outlines"]
    assert len(outlines) == len(LABELS)
    assert len(outlines[cell["id"]]) == 8
    for path in (f"{base}/cells/999-1/picture", f"{base}/fields/7/picture", "/api/v1/slides/NOTTHERE/fields/1/picture"):
        assert client.get(path).status_code == 404


def test_an_image_that_is_gone_is_said(serving: Served, code: str) -> None:
    _, client, images = serving
    (images / "Smith, J." / "1.png").unlink()
    gone = client.get(f"/api/v1/slides/{code}/fields/1/picture")
    assert gone.status_code == 422
    assert "cannot be read" in gone.json()["detail"]
    assert str(images) not in gone.text


def decoded(answer: httpx.Response) -> np.ndarray:
    answer.raise_for_status()
    return np.asarray(cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB))


def test_a_slide_of_which_nothing_is_judged_yet_has_no_verdict_in_the_list(serving: Served) -> None:
    station, client, _ = serving
    with station.database.write() as connection:
        slide = find_or_add_slide(connection, "/images", "new")
        add_to_queue(connection, slide.id, "/images/1.jpg", 0, 10, 10)
    listed = re.sub(r"<form.*?</form>", "", client.get("/").text, flags=re.DOTALL)
    assert "not judged yet" in listed
    assert "+1 waits" in listed
    assert "indeterminate" not in listed


def test_an_image_that_was_given_up_is_called_by_its_file_until_its_name_is_forgotten(serving: Served) -> None:
    station, client, _ = serving
    with station.database.write() as connection:
        slide = find_or_add_slide(connection, "/images", "new")
        add_to_queue(connection, slide.id, "/images/new/run.tif", 2, 10, 10)
        connection.execute("UPDATE queue SET state = 'dead', attempts = 5, last_error = 'It is broken.'")
    assert client.get("/api/v1/queue").json()["dead"][0]["file"] == "run.tif#2"
    assert "<b>run.tif#2</b>" in client.get("/").text
    with station.database.write() as connection:
        forget_name(connection, slide, "Administrator", "policy")
    assert client.get("/api/v1/queue").json()["dead"][0]["file"] is None
    assert "<b>an image whose name was forgotten</b>" in client.get("/").text


def test_slides_are_searched_and_filtered(serving: Served, code: str, slide_with_image: Callable[..., str]) -> None:
    station, client, images = serving
    quiet = slide_with_image(station, images, "Jones, K.", ["non-ALL"] * 3)

    def found(**wanted: str) -> list[str]:
        answer = client.get("/api/v1/slides", params=wanted)
        answer.raise_for_status()
        return [slide["code"] for slide in answer.json()["slides"]]

    assert sorted(found()) == sorted([code, quiet])
    assert found(search="jones") == [quiet]
    assert found(search=code.lower()) == [code]
    assert found(stage="signed") == []
    assert found(verdict="not detected") == []
    client.post(f"/api/v1/slides/{code}/undo", json={})
    client.post(f"/api/v1/slides/{code}/comment", json={"text": "pale"}).raise_for_status()
    assert found(reader="ada") == [code]
    assert found(until="2001-01-01") == []
    assert client.get("/api/v1/slides", params={"verdict": "nice"}).status_code == 422


def test_events_arrive_as_they_happen(serving: Served, code: str) -> None:
    _, client, _ = serving
    seen: list[dict[str, Any]] = []
    listening = threading.Event()

    def listen() -> None:
        with client.stream("GET", "/api/v1/events", timeout=10) as stream:
            for line in stream.iter_lines():
                listening.set()
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    return

    thread = threading.Thread(target=listen)
    thread.start()
    assert listening.wait(5)
    client.post(f"/api/v1/slides/{code}/comment", json={"text": "pale"}).raise_for_status()
    thread.join(5)
    assert (seen[0]["kind"], seen[0]["actor"], seen[0]["slide"]) == ("cell.commented", "Ada", code)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:80"}, 421),
        ({"Host": ""}, 421),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_what_another_site_causes_is_refused(serving: Served, code: str, headers: dict[str, str], status: int) -> None:
    station, client, _ = serving
    before = station.last_seq()
    path = f"/api/v1/slides/{code}/comment"
    answer = client.post(path, content=b'{"text": "x"}', headers={"Content-Type": "application/json", **headers})
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert station.last_seq() == before


@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_message_that_is_too_large_is_refused(serving: Served, code: str, says_its_length: bool) -> None:
    _, client, _ = serving
    content = json.dumps({"text": "x" * 2_100_000}).encode()
    body = content if says_its_length else (content[at : at + 65536] for at in range(0, len(content), 65536))
    path, headers = f"/api/v1/slides/{code}/comment", {"Content-Type": "application/json"}
    try:
        assert client.post(path, content=body, headers=headers).status_code == 413
    except httpx.WriteError:
        assert says_its_length, "the connection may be closed while what was refused is still being sent"


def test_a_link_from_elsewhere_opens_the_page(serving: Served) -> None:
    _, client, _ = serving
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=headers).status_code == 200


def test_nobody_is_let_in_without_a_name(serving: Served, code: str) -> None:
    _, client, _ = serving
    with httpx.Client(base_url=client.base_url) as stranger:
        refused = stranger.get(f"/api/v1/slides/{code}")
        assert refused.status_code == 401
        assert all(way in refused.json()["remedy"] for way in ("POST /api/v1/session", "header Edge-All-Reader"))
        page = stranger.get(f"/slides/{code}")
        assert (page.status_code, page.headers["location"]) == (303, f"/who?then=%2Fslides%2F{code}")
        assert stranger.post("/api/v1/session", json={"name": "  "}).status_code == 422
        stranger.post("/api/v1/session", json={"name": "Zoë  Ada"}).raise_for_status()
        assert stranger.get("/api/v1/session").json()["name"] == "Zoë Ada"
        assert stranger.get(f"/slides/{code}").status_code == 200


def test_every_page_says_what_it_is_for_and_lets_no_script_of_others_in(serving: Served, code: str) -> None:
    _, client, _ = serving
    for path in ("/", f"/slides/{code}", "/weeks", "/who", "/who?then=//evil.example"):
        page = client.get(path)
        assert INTENDED_USE in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http:" not in page.text.replace("http://www.w3.org", "")
        assert "evil.example" not in page.text
        assert "<script>" not in page.text
        assert " style=" not in page.text


def test_a_page_that_is_not_there_is_said_on_a_page(serving: Served) -> None:
    _, client, _ = serving
    page = client.get("/slides/NONSENSE")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "NONSENSE" in page.text
    assert 'href="/"' in page.text
    assert INTENDED_USE in page.text


def test_an_empty_station_says_what_to_do_next(serving: Served) -> None:
    _, client, _ = serving
    assert "edge-all station --demo" in client.get("/").text


def test_paths_of_the_disk_cannot_be_reached(serving: Served) -> None:
    _, client, _ = serving
    own = files_address()
    for path in (f"{own}/../../application.py", f"{own}/%2e%2e/application.py", f"{own}//etc/passwd", "/etc/passwd"):
        assert client.get(path).status_code == 404


def test_a_page_asks_for_all_its_scripts_at_once_and_for_each_only_once(serving: Served, code: str) -> None:
    _, client, _ = serving
    for path, script in (("/", "slides"), (f"/slides/{code}", "slide"), ("/settings", "settings"), ("/who", "who")):
        page = client.get(path).text
        named = set(re.findall(r'modulepreload" href="([^"]+)"', page))
        assert f"{files_address()}/{script}-page.js" in named
        answers = [client.get(one) for one in named]
        assert {one.headers["Cache-Control"] for one in answers} == {"public, max-age=31536000, immutable"}
        imported = {name for one in answers for name in re.findall(r'from "\./([^"]+)"', one.text)}
        assert imported <= {one.rpartition("/")[2] for one in named}
    assert client.get(f"{files_address()}/nothing.js").headers["Cache-Control"] == "no-store"
    assert "no-store" in client.get("/").headers["Cache-Control"]


def test_what_happened_after_a_page_was_made_is_told_to_it(serving: Served, code: str) -> None:
    station, client, _ = serving
    known = int(re.findall(r'data-seq="(\d+)"', client.get(f"/slides/{code}").text)[0])
    assert known == station.last_seq()
    review = station.review(code, "Grace")
    review.comment("between the page and its scripts")
    with client.stream("GET", "/api/v1/events", params={"after": known}) as answer:
        lines = answer.iter_lines()
        told = next(json.loads(line[6:]) for line in lines if line.startswith("data: "))
    assert (told["seq"], told["actor"]) == (known + 1, "Grace")


def test_a_taken_port_is_said(serving: Served) -> None:
    station, client, _ = serving
    port = client.base_url.port or 0
    with pytest.raises(UsageError, match=f"port {port}"), served(web_application(station), "127.0.0.1", port):
        pass


def test_serve_says_where_and_ends_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edge_all", "serve", str(tmp_path / "station"), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert address, said
        assert httpx.get(f"{address[0]}readyz").json() == {"status": "ok"}
        with socket.create_connection(("127.0.0.1", httpx.URL(address[0]).port or 0)) as stranger:
            stranger.sendall(b"no request\r\n\r\n")  # is answered, and no line of a library's says it
            assert stranger.recv(100).startswith(b"HTTP/1.1 400")
        for _ in range(20):  # a supervisor that sends two in a row hung a station once
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("verb", ["serve", "station"])
def test_without_its_packages_the_page_says_what_to_install(verb: str, tmp_path: Path) -> None:
    code = "import sys; sys.modules['fastapi'] = None; from edge_all.cli.main import main; main()"
    place = [str(tmp_path)] if verb == "serve" else ["--station", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, verb, *place], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert "cpu,station" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signature_means_one_of_what_the_page_offers_and_the_api_describes(serving: Served, code: str) -> None:
    _, client, _ = serving
    said = {"meaning": "whatever", "reason": "routine", "last_seq": 1}
    assert client.post(f"/api/v1/slides/{code}/sign", json=said).status_code == 422
    meaning = client.get("/api/v1/openapi.json").json()["components"]["schemas"]["Signing"]["properties"]["meaning"]
    page = client.get(f"/slides/{code}").text
    assert meaning["enum"]
    assert all(f'<option value="{one}">' in page and f"`{one}`" in meaning["description"] for one in meaning["enum"])


def test_two_readers_are_compared_when_both_have_signed(serving: Served, code: str) -> None:
    station, client, _ = serving
    station.change_settings(StationSettings(second_reader=True), "Administrator")
    base = f"/api/v1/slides/{code}"
    for name, kind in (("Ada", "ALL"), ("Grace", "lymphocyte")):
        reader = {"Edge-All-Reader": name}
        cells = client.get(f"{base}/cells", headers=reader).json()["cells"]
        assert all(cell["kind"] is None for cell in cells), "blind to what the other decided"
        said = {"cells": versions(cells[:1]), "kind": kind}
        client.post(f"{base}/reclassify", json=said, headers=reader).raise_for_status()
        looked = {"cells": versions([cell for cell in cells if cell["must_be_seen"]])}
        last = client.post(f"{base}/seen", json=looked, headers=reader).json()["slide"]["last_seq"]
        assert client.get(f"{base}/readers", headers=reader).status_code == 409
        signing = {"meaning": "reviewed", "reason": "routine", "last_seq": last}
        client.post(f"{base}/sign", json=signing, headers=reader).raise_for_status()
    found = client.get(f"{base}/readers").json()
    assert [(one["first"]["kind"], one["second"]["kind"]) for one in found["disagreements"]] == [("ALL", "lymphocyte")]
    assert found["agreement"]["compared"] - found["agreement"]["same"] == 1
    third = client.get(base, headers={"Edge-All-Reader": "Eve"})
    assert third.status_code == 409


def test_without_a_model_no_cell_is_compared(serving: Served, code: str) -> None:
    _, client, _ = serving
    cell = cells_of(client, code)[0]["id"]
    assert client.get(f"/api/v1/slides/{code}/cells/{cell}/references").json() == {"references": []}
    assert client.get(f"/api/v1/slides/{code}/cells/999-1/references").status_code == 404
