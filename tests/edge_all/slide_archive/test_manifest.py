"""A manifest gives slides; a row of no use is reported and costs no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_all.errors import InputError, InputNotFoundError, UsageError
from edge_all.inputs import find_images
from edge_all.slide_archive.manifest import ArchiveImage, ArchiveSlide, Manifest, read_manifest


def written(folder: Path, content: str | bytes, name: str = "manifest.csv") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def names(manifest: Manifest) -> dict[str, list[str]]:
    return {slide.slide: [one.image for one in slide.images] for slide in manifest.slides}


def reasons(manifest: Manifest) -> dict[int, str]:
    return {bad.row: bad.reason for bad in manifest.bad_rows}


def test_a_folder_stands_for_the_slides_that_screen_would_find(slides: Path) -> None:
    (slides / "S-00" / "deeper").mkdir()
    (slides / "S-03" / "field0.png").rename(slides / "S-00" / "deeper" / "field10.png")
    (slides / "S-00" / ".field9.png").write_bytes(b"")
    found = find_images(["slides/*", "slides/S-00/deeper"])
    expected: dict[str, list[str]] = {}
    for source in found.sources:
        expected.setdefault(source.slide, []).append(source.image)
    assert names(read_manifest("slides")) == expected


def test_results_of_a_run_are_no_slides(slides: Path) -> None:
    (slides / "S-02" / "fields.jsonl").write_text("")
    assert "S-02" not in names(read_manifest("slides"))


def test_rows_without_a_slide_belong_to_their_folder(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, "image,slide\na/1.png,\na/2.png,X\nb/a/1.png,\n/x/a/3.png,\n"))
    where = tmp_path.name
    assert names(manifest) == {
        f"{where}/a": ["a/1.png"],
        "X": ["a/2.png"],
        "b/a": ["b/a/1.png"],
        "x/a": ["/x/a/3.png"],
    }
    assert manifest.slides[0].images[0].address == str(tmp_path / "a" / "1.png")


def test_what_is_relative_begins_in_the_folder_of_the_manifest(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, "image\nfile:///x/1.png\ns3://bucket/2.png\n3.png\n"))
    addresses = [one.address for slide in manifest.slides for one in slide.images]
    assert addresses == ["file:///x/1.png", "s3://bucket/2.png", str(tmp_path / "3.png")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_any_usual_separator_and_line_end(tmp_path: Path, separator: str) -> None:
    text = "\ufeff" + "Slide,Image,note\r\nA,1.png,x\r\n\r\nB,2.png".replace(",", separator)
    assert names(read_manifest(written(tmp_path, text))) == {"A": ["1.png"], "B": ["2.png"]}


def test_bad_rows_are_named_and_cost_no_other(tmp_path: Path) -> None:
    content = (
        b"image,slide\n1.png,A\n,A\n1.png,B\n\xff.png,A\nftp://x/1.png,A\n2.png,A,x,y\n"
        b'3.png,"A\nB"\n4.png,A\n' + b"x" * 2001 + b",A\n"
    )
    manifest = read_manifest(written(tmp_path, content))
    assert names(manifest) == {"A": ["1.png", "4.png"]}
    found = reasons(manifest)
    assert manifest.rows == 9
    assert set(found) == {3, 4, 5, 6, 7, 8, 11}
    for row, word in {
        3: "no image",
        4: "row 2 again",
        5: "UTF-8",
        6: "ftp://",
        7: "4 values",
        8: "line breaks",
    }.items():
        assert word in found[row]
    assert "2001 characters" in found[11]


def test_a_quotation_mark_that_is_not_closed_is_one_bad_row(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,A\n" for number in range(2_000))
    manifest = read_manifest(written(tmp_path, f'image,slide\na.png,A\n"b.png,A\n{rows}'))
    assert names(manifest) == {"A": ["a.png"]}
    assert len(manifest.bad_rows) == 1
    rows *= 10
    manifest = read_manifest(written(tmp_path, f'image,slide\na.png,A\n"b.png,A\n{rows}'))
    (reason,) = (reason for reason in reasons(manifest).values() if "lost" in reason)
    assert re.search(r"rows 3 to 1\d{4} are lost", reason)


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {"image": ["1.png", None, "1.png", "2.png"], "slide": ["A", "A", "A", None], "age": [1, 2, 3, 4]}
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    manifest = read_manifest(str(tmp_path / "m.parquet"))
    assert names(manifest) == {"A": ["1.png"], tmp_path.name: ["2.png"]}
    assert set(reasons(manifest)) == {3, 4}
    pq.write_table(pa.table({"image": [1, 2]}), tmp_path / "numbers.parquet")
    with pytest.raises(InputNotFoundError, match="No row"):
        read_manifest(str(tmp_path / "numbers.parquet"))
    with pytest.raises(InputError, match="no Parquet"):
        read_manifest(written(tmp_path, b"PAR1 and then nothing", "x.parquet"))


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("", InputError, "empty"),
        ("file,slide\n1.png,A\n", InputError, "no column 'image'"),
        ("image\n", InputNotFoundError, "No row"),
        ("image\n\n,\n", InputNotFoundError, "No row"),
    ],
)
def test_a_table_without_images_is_refused(tmp_path: Path, content: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        read_manifest(written(tmp_path, content))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    for address in ("nothing.csv", "nothing"):
        with pytest.raises(InputNotFoundError):
            read_manifest(str(tmp_path / address))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputNotFoundError, match="holds no images"):
        read_manifest(str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="gs://"):
        read_manifest("gs://bucket/slides")


@pytest.mark.parametrize("of", [1, 2, 3, 7, 20])
def test_the_parts_hold_each_slide_once(of: int) -> None:
    manifest = Manifest(tuple(ArchiveSlide(str(n), (ArchiveImage(f"{n}.png", f"{n}.png"),)) for n in range(11)))
    parts = [slide for number in range(1, of + 1) for slide in manifest.part(number, of)]
    assert sorted(parts, key=manifest.slides.index) == list(manifest.slides)


def test_a_slide_comes_back_from_its_json() -> None:
    slide = ArchiveSlide("S \udcff", (ArchiveImage("a", "/x/a"), ArchiveImage("b", "s3://b")))
    assert ArchiveSlide.from_json(slide.to_json()) == slide
