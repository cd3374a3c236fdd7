from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.errors import InputError, InputNotFoundError, OutputError
from edge_all.outputs.jsonl import FieldsWriter, each_field, keep_fields
from edge_all.results import Cell, FieldResult, ModelIdentity, ProviderReport, Quality

CELL = Cell(
    id=1,
    bbox=(1, 2, 30, 40),
    centroid=(15.53, 20.27),
    area=900,
    nucleus_bbox=(5, 6, 20, 20),
    nucleus_centroid=(14.02, 16.98),
    nucleus_area=300,
    contour=((1, 2), (30, 2), (30, 41)),
    kind="candidate",
    probability=0.753_219,
    label="ALL",
    out_of_distribution=0.254_871,
    glass=(201.5, 190.0, 221.3),
)
FIELD = FieldResult(
    image="slides/één.jpg",
    slide="slides",
    status="ok",
    width=640,
    height=480,
    quality=Quality(usable=True, warnings=("dark",), metrics={"focus": 3.5}),
    cells=(CELL,),
    timings_ms={"decode": 1.5},
    model=ModelIdentity("tiny", "1", "fp32", "00", "c4"),
    provider=ProviderReport("auto", "CPUExecutionProvider", "the only one", 2),
)


def field(image: str) -> FieldResult:
    return FieldResult(image=image, slide="s", status="error", error="why")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "out" / "fields.jsonl"
    with FieldsWriter(path) as writer:
        writer.write(FIELD)
        writer.write(field("b.jpg"))
    assert tuple(each_field(path)) == (FIELD, field("b.jpg"))
    assert json.loads(path.read_text().splitlines()[0])["cells"][0]["label"] == "ALL"


def test_each_field_is_on_disk_before_the_next_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "fields.jsonl"
    writer = FieldsWriter(path)
    writer.write(FIELD)
    assert tuple(each_field(path)) == (FIELD,)
    writer.close()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(min_value=0, max_value=10_000))
def test_a_file_cut_anywhere_is_read_and_continued(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "fields.jsonl"
    with FieldsWriter(path) as writer:
        writer.write(FIELD)
        writer.write(field("b.jpg"))
    whole = path.read_bytes()
    path.write_bytes(whole[: cut % (len(whole) + 1)])
    before = tuple(each_field(path))
    assert before == (FIELD, field("b.jpg"))[: path.read_bytes().count(b"\n")]
    with FieldsWriter(path) as writer:
        writer.write(field("c.jpg"))
    assert tuple(each_field(path)) == (*before, field("c.jpg"))


def test_some_fields_are_kept_with_their_outlines(tmp_path: Path) -> None:
    path = tmp_path / "fields.jsonl"
    with FieldsWriter(path) as writer:
        for one in (field("a.jpg"), FIELD, field("b.jpg")):
            writer.write(one)
    keep_fields(path, {FIELD.image})
    assert tuple(each_field(path)) == (FIELD,)
    path.write_bytes(path.read_bytes() + b"{}\n")
    before = path.read_bytes()
    with pytest.raises(InputError, match="Line 2"):
        keep_fields(path, {FIELD.image})
    assert path.read_bytes() == before


def test_many_fields_take_no_memory_for_outlines(tmp_path: Path) -> None:
    path = tmp_path / "fields.jsonl"
    outline = tuple((1000 + number, 2000 + number % 7) for number in range(60))
    cell = dataclasses.replace(CELL, contour=outline)
    with FieldsWriter(path) as writer:
        writer.write(dataclasses.replace(FIELD, cells=(cell,)))
    path.write_bytes(500 * path.read_bytes())
    peaks = []
    for _ in range(3):
        tracemalloc.start()
        try:
            fields = [one.summary() for one in each_field(path)]
            peaks.append(tracemalloc.get_traced_memory()[1] / len(fields))
        finally:
            tracemalloc.stop()
    # One cell each: 3 kB; 9.6 kB with outlines, even where they are only held until all lines are read. The least of
    # three, for a thread that another test has left is counted, too.
    assert min(peaks) < 3_500, f"{peaks} bytes a field"
    assert fields[-1].candidates == (cell.summary(),)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fields.jsonl"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with FieldsWriter(path) as writer:
        writer.write(FIELD)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(OutputError, match=r"fields\.jsonl.*Free space"):
                writer.write(field("b.jpg"))
        assert tuple(each_field(path)) == (FIELD,)
        writer.write(field("c.jpg"))
    assert tuple(each_field(path)) == (FIELD, field("c.jpg"))


def test_ctrl_c_within_a_line_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "fields.jsonl"
    with FieldsWriter(path) as writer:
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                writer.write(FIELD)
        assert path.read_bytes() == b""


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fields.jsonl"
    with FieldsWriter(path) as writer:
        writer.write(FIELD)
    for damage in (b'{"image": 3\n', b"{}\n", b"[]\n", b"\xff\n", b"null\n"):
        path.write_bytes(path.read_bytes().splitlines(keepends=True)[0] + damage)
        with pytest.raises(InputError, match="Line 2"):
            tuple(each_field(path))


def test_numbers_that_json_lacks_become_null(tmp_path: Path) -> None:
    path = tmp_path / "fields.jsonl"
    quality = Quality(usable=False, metrics={"focus": math.nan, "stain": math.inf})
    with FieldsWriter(path) as writer:
        writer.write(FieldResult("a.jpg", "s", "unusable", quality=quality))
    metrics = json.loads(path.read_text(), parse_constant=pytest.fail)["quality"]["metrics"]
    assert metrics == {"focus": None, "stain": None}


def test_a_name_that_is_no_text_survives(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.jpg")
    with FieldsWriter(tmp_path / "fields.jsonl") as writer:
        writer.write(field(name))
    assert next(each_field(tmp_path / "fields.jsonl")).image == name


def test_missing_and_unwritable(tmp_path: Path) -> None:
    with pytest.raises(InputNotFoundError):
        tuple(each_field(tmp_path / "fields.jsonl"))
    with pytest.raises(InputError):
        tuple(each_field(tmp_path))
    with pytest.raises(OutputError, match="folder stands where a file"):
        FieldsWriter(tmp_path)
