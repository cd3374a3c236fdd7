"""Images and results in an object store: moto's server, and one that answers 403, 404, 500 and slowly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_all.errors import InputNotFoundError, OutputError, UnreadableImageError
from edge_all.slide_archive import addresses
from edge_all.slide_archive.addresses import ObjectFolder, fetch
from edge_all.slide_archive.manifest import read_manifest
from edge_all.slide_archive.reconciliation import Reconciliation

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")
pytestmark = [pytest.mark.deploy, pytest.mark.filterwarnings("default")]
Run = Callable[..., Reconciliation]
Lines = dict[str, dict[str, Any]]


def use(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    addresses.object_store.cache_clear()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    use(f"http://{host}:{port}", monkeypatch)
    # Moto keeps its buckets as long as the process lives.
    name = f"hospital-{port}"
    addresses.object_store().mkdir(name)
    yield f"s3://{name}"
    addresses.object_store.cache_clear()
    server.stop()


def test_an_archive_in_an_object_store_comes_to_the_same(
    bucket: str, slides: Path, run_archive: Run, lines_of_screen: Callable[[], Lines]
) -> None:
    import gzip

    store = addresses.object_store()
    store.put(str(slides), f"{bucket}/slides", recursive=True)
    assert [slide.slide for slide in read_manifest(f"{bucket}/slides").slides] == [f"S-{n:02d}" for n in range(4)]
    rows = [f"{source.relative_to('.').as_posix()}" for source in sorted(slides.rglob("*.png"))]
    store.pipe_file(f"{bucket}/m.csv", "\n".join(["image", *rows, "slides/S-00/gone.png", rows[0]]).encode())
    account = run_archive(f"{bucket}/m.csv", f"{bucket}/out")
    assert (account.unread, [bad.row for bad in account.bad_rows]) == ({"S-00": 1}, [len(rows) + 3])
    again: list[str] = []
    run_archive(f"{bucket}/m.csv", f"{bucket}/out", on_slide=lambda outcome: again.append(outcome.state))
    assert again == ["judged", "kept", "kept", "kept"]
    assert json.loads(store.cat_file(f"{bucket}/out/reconciliation.json"))["slides_complete"] == 3
    found: Lines = {}
    for file in store.find(f"{bucket}/out/results"):
        for line in gzip.decompress(store.cat_file(file)).splitlines()[1:]:
            field = json.loads(line)
            found[field["image"]] = field
    assert "does not exist" in found.pop("slides/S-00/gone.png")["error"]
    expected = lines_of_screen()
    assert found.keys() == expected.keys()
    for image, field in expected.items():
        assert found[image]["cells"] == field["cells"]
        assert found[image]["status"] == field["status"]
    assert len(store.find(f"{bucket}/out/tables")) == 3


def test_a_tiff_of_several_pictures_in_an_object_store(bucket: str, run_archive: Run, rendered: Path) -> None:
    import cv2

    pages = [cv2.imread(str(rendered / "S-01" / f"field{number}.png")) for number in range(2)]
    done, content = cv2.imencodemulti(".tif", pages)
    assert done
    addresses.object_store().pipe_file(f"{bucket}/T/two.tif", content.tobytes())
    account = run_archive(f"{bucket}/T", f"{bucket}/out")
    assert account.all_judged
    assert account.fields["ok"] == 2


class _Difficult(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_PUT(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        # After a 404 the client asks whether the name is a folder.
        name = "gone" if "list-type" in self.path else self.path.partition("?")[0].rpartition("/")[2]
        code, word = {
            "denied": (403, "AccessDenied"),
            "gone": (404, "NoSuchBucket"),
            "broken": (500, "InternalError"),
        }.get(name, (200, ""))
        body = f"<Error><Code>{word}</Code><Message>no</Message></Error>".encode() if word else b""
        self.send_response(code)
        self.send_header("Content-Length", str(1000 if code == 200 else len(body)))
        self.end_headers()
        if with_body and code != 200:
            self.wfile.write(body)
        elif with_body:  # drips, and never ends
            while not _over.wait(0.1):
                try:
                    self.wfile.write(b"x")
                    self.wfile.flush()
                except OSError:
                    return

    def log_message(self, *_: object) -> None:
        pass


_over = threading.Event()


@pytest.fixture
def difficult(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Difficult)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(addresses, "_CLIENT", {"retries": {"max_attempts": 1}})
    monkeypatch.setattr(addresses, "PATIENCE_SECONDS", 3.0)
    use(f"http://127.0.0.1:{server.server_port}", monkeypatch)
    _over.clear()
    yield
    _over.set()
    server.shutdown()
    addresses.object_store.cache_clear()


@pytest.mark.usefixtures("difficult")
@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("denied", UnreadableImageError, "may not be read"),
        ("gone", InputNotFoundError, "does not exist"),
        ("broken", UnreadableImageError, "cannot be read"),
        ("slow", UnreadableImageError, "no answer within 3 s"),
    ],
)
def test_a_difficult_store_is_an_error_in_words(name: str, error: type[Exception], words: str) -> None:
    began = time.monotonic()
    with pytest.raises(error, match=words):
        fetch(f"s3://hospital/{name}")
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("difficult")
def test_a_store_that_takes_nothing_is_an_output_error() -> None:
    with pytest.raises(OutputError, match="Cannot write s3://hospital/out/denied"):
        ObjectFolder("s3://hospital/out").write("denied", b"x")
