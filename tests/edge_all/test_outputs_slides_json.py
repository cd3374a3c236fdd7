from __future__ import annotations

import json
from pathlib import Path

from edge_all import __version__
from edge_all.outputs.slides_json import slides_document, write_slides
from edge_all.results import INTENDED_USE, FieldResult, ModelIdentity, ProviderReport, Quality, SlideResult

MODEL = ModelIdentity("tiny", "1", "int8", "00", "c4")
PROVIDER = ProviderReport("auto", "CPUExecutionProvider", "the only one", 2)
SLIDE = SlideResult(
    "s",
    {"ok": 1, "error": 1, "unusable": 0},
    {"ALL": 1, "non-ALL": 2, "indeterminate": 0, "rejected": 3},
    1 / 3,
    (0.0615, 0.7923),
    "indeterminate",
    "too few cells",
    ("one image failed",),
)


def test_says_what_judged_and_for_what_use(tmp_path: Path) -> None:
    size = {"microns_per_pixel": 0.12, "microns_per_pixel_from": "ImageJ"}
    known = {"model": MODEL, "provider": PROVIDER, "quality": Quality(True, warnings=("a little dark",)), **size}
    fields = [
        FieldResult("a.jpg", SLIDE.slide, "ok", **known),
        FieldResult("b.jpg", SLIDE.slide, "error", error="why"),
        FieldResult("c.jpg", SLIDE.slide, "ok", **known),
        FieldResult("d.jpg", "another", "ok", model=MODEL, provider=PROVIDER, quality=Quality(True, warnings=("x",))),
    ]
    write_slides(tmp_path / "slides.json", [SLIDE], fields, [Path("S-1/old.czi")])
    document = json.loads((tmp_path / "slides.json").read_text())
    assert document == slides_document([SLIDE], fields, [Path("S-1/old.czi")])
    assert document["intended_use"] == INTENDED_USE
    assert document["notice"] is None
    assert document["edge_all_version"] == __version__
    assert document["models"] == [
        {"name": "tiny", "version": "1", "variant": "int8", "sha256": "00", "card_sha256": "c4"}
    ]
    assert [provider["obtained"] for provider in document["providers"]] == ["CPUExecutionProvider"]
    (slide,) = document["slides"]
    said = [{"warning": "a little dark", "fields": 2}]
    sizes = [{"microns_per_pixel": 0.12, "from": "ImageJ", "fields": 2}]
    assert slide == SLIDE.to_json() | {"field_warnings": said, "pixel_sizes": sizes}
    assert document["passed_over"] == ["S-1/old.czi"]
    assert slide["all_fraction_interval"] == [0.0615, 0.7923]


def test_two_models_are_both_named() -> None:
    other = ModelIdentity("tiny", "2", "int8", "01", "c4")
    fields = [FieldResult("a.jpg", "s", "ok", model=MODEL), FieldResult("b.jpg", "s", "ok", model=other)]
    assert [model["version"] for model in slides_document([], fields)["models"]] == ["1", "2"]
