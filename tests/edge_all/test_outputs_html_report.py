from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_all.errors import OutputError
from edge_all.files.run_folder import RunFolder
from edge_all.imaging import read_image
from edge_all.model.card import ModelCard, Thresholds, Variant
from edge_all.model.package import default_package_path, load_package
from edge_all.outputs.overlay import save_overlay
from edge_all.outputs.rejected_sheet import save_rejected_sheet
from edge_all.outputs.report import embedding
from edge_all.outputs.report.galleries import Pictures
from edge_all.outputs.report.html_report import write_report
from edge_all.outputs.report.model_card import model_card
from edge_all.outputs.report.tile_outlines import TileOutline, tile_outlines
from edge_all.outputs.result_words import probability_words
from edge_all.outputs.run_summary import RunSummary
from edge_all.outputs.thumbnails import save_thumbnails
from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.results import (
    INTENDED_USE,
    Cell,
    CellLabel,
    FieldResult,
    ModelIdentity,
    ProviderReport,
    Quality,
    SlideResult,
)
from edge_all.slides.verdict import judge_slide
from edge_all.wording.language import Language

SPEC = PreprocessingSpec(64, 2.0)
THRESHOLDS = Thresholds(0.3, 0.7, 9.0, 0.02)
MODEL = ModelIdentity("tiny", "1.2.3", "int8", "5eba5710", "c4")
PROVIDER = ProviderReport("auto", "CPUExecutionProvider", "no accelerator was found", 2)
CARD = ModelCard(
    "tiny",
    "1.2.3",
    "2026-01-01",
    "InceptionV3",
    ("non-ALL", "ALL"),
    "ALL",
    SPEC,
    {"int8": Variant("model.int8.onnx", "5eba5710", 1.5, THRESHOLDS)},
    evaluation={"cells": {"n": 412, "auc": 0.9712, "auc_interval": [0.95, 0.985]}},
    limitations=("Trained on <one> hospital.",),
)
LABELS: tuple[CellLabel, ...] = ("ALL", "non-ALL", "indeterminate")
VOID = {"meta", "img", "br", "line", "rect", "input", "polygon"}


class Page(HTMLParser):
    """Checks that tags are balanced, and collects what a reader sees."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # <line/> and <rect/> within SVG, and <rect><title> which closes itself.
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> without a start"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data

    def ids(self) -> list[str]:
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]

    def images(self) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]


def cell(number: int, probability: float, label: CellLabel, unlike: float = 0.1) -> Cell:
    x, y = 20 + 60 * ((number - 1) % 4), 20 + 60 * ((number - 1) // 4 % 3)
    outline = ((x, y), (x + 39, y), (x + 39, y + 39), (x, y + 39))
    box, middle = (x, y, 40, 40), (x + 20.0, y + 20.0)
    return Cell(
        number, box, middle, 1600, box, middle, 1600, "candidate", None, probability, label, unlike, contour=outline
    )


def judged(image: str, slide: str, *cells: Cell) -> FieldResult:
    return FieldResult(
        image,
        slide,
        "ok",
        width=280,
        height=220,
        quality=Quality(usable=True, warnings=("a little dark",), metrics={"focus": 12.3456}),
        cells=cells,
        timings_ms={"decode": 30.0, "inference": 200.0},
        model=MODEL,
        provider=PROVIDER,
    )


def report(folder: Path, fields: list[FieldResult], **options: object) -> str:
    """Draw the pictures, judge the slides, and write the report as a run does."""
    pixels = np.full((220, 280, 3), 210, np.uint8)
    overlays, thumbnails, rejected = {}, {}, {}
    names = RunFolder.for_images(folder, [field.image for field in fields])
    for field in fields:
        if field.status == "ok":
            overlays[field.image] = names.overlay(field.image)
            save_overlay(overlays[field.image], pixels, field)
            rejected[field.image] = names.rejected(field.image)
            save_rejected_sheet(rejected[field.image], pixels, field)
            squares = crop_cells(pixels, field.candidates, None, SPEC)
            save_thumbnails(names, field, squares, SPEC.factor)
            thumbnails |= {(field.image, cell.id): names.crop(field.image, cell.id) for cell in field.candidates}
    slides = [
        judge_slide(slide, [field for field in fields if field.slide == slide], THRESHOLDS)
        for slide in dict.fromkeys(field.slide for field in fields)
    ]
    known: dict[str, Any] = {"card": CARD, **options}
    pictures = Pictures(
        known.pop("overlays", overlays), known.pop("thumbnails", thumbnails), rejected, known.pop("activations", None)
    )
    of_run = {name: known.pop(name) for name in ("card", "passed_over", "notice") if name in known}
    write_report(folder / "report.html", RunSummary(tuple(fields), tuple(slides), **of_run), pictures, **known)
    return (folder / "report.html").read_text("utf-8")


def test_a_notice_stands_before_every_verdict(tmp_path: Path) -> None:
    fields = [judged("s/a.jpg", "first", cell(1, 0.97, "ALL"))]
    assert 'class="alert"' not in report(tmp_path / "plain", fields)
    html = report(tmp_path / "demo", fields, notice="Drawn, <not> seen.")
    assert 0 < html.index("<strong>Drawn, &lt;not&gt; seen.</strong>") < html.index('id="slides"')


def test_a_whole_report(tmp_path: Path) -> None:
    cells = [cell(1, 0.97, "ALL"), cell(2, 0.5, "indeterminate"), cell(3, 0.02, "non-ALL"), cell(4, 0.9991, "ALL")]
    rejected = dataclasses.replace(
        cell(5, 0.0, "ALL"), kind="rejected", reason="platelet", probability=None, label=None
    )
    fields = [
        judged("s/a.jpg", "first", *cells, rejected),
        FieldResult(
            "s/b.jpg", "first", "unusable", "Out of focus. Focus again.", 280, 220, Quality(False, ("Out of focus.",))
        ),
        FieldResult("/home/DOE_JOHN/c.jpg", "second", "error", "/home/DOE_JOHN/c.jpg is damaged. Copy it again."),
    ]
    text = report(tmp_path, fields, created=datetime(2026, 3, 4, 5, 6, tzinfo=UTC))
    page = Page(text)
    assert page.text.count(INTENDED_USE) >= 2
    for words in (
        "2026-03-04 05:06",
        "2 fields of 3 were not judged",
        "Out of focus. Focus again.",
        "c.jpg is damaged. Copy it again.",
        "50.0 %",
        "(95 % interval 15.0 to 85.0 %)",
        "2 of 4 cells",
        "platelet (1)",
        "a little dark",
        "12.35",
        "tiny 1.2.3",
        "int8",
        "5eba5710",
        "CPUExecutionProvider",
        "no accelerator was found",
        "Trained on <one> hospital.",
        "0.9712",
        "0.95 to 0.985",
        "none, no cell was judged",
    ):
        assert words in page.text, words
    assert "DOE_JOHN" not in text
    assert [page.text.count(f"{title} (") for title in ("Called ALL", "please review", "Called non-ALL")] == [1, 1, 1]


@pytest.mark.parametrize(
    ("unusable", "heading", "words"),
    [(1, "1 field of 3 was not judged", "cells in it;"), (2, "2 fields of 3 were not judged", "cells in them;")],
)
def test_one_field_that_was_not_judged_is_spoken_of_as_one(
    tmp_path: Path, unusable: int, heading: str, words: str
) -> None:
    good = [judged(f"s/{number}.jpg", "s", cell(1, 0.97, "ALL")) for number in range(3 - unusable)]
    lost = [FieldResult(f"s/lost{number}.jpg", "s", "unusable", "Out of focus.") for number in range(unusable)]
    text = Page(report(tmp_path, [*good, *lost])).text
    assert heading in text
    assert f"Nothing is known about the {words}" in text


def test_the_figures_of_a_card_stand_with_their_intervals(tmp_path: Path) -> None:
    figures = {
        "gate": {"value": 0.9167, "low": 0.7415, "high": 0.9768},
        "folds": [0.948, 0.92, 0.976],
        "unknown": {"value": 0.5, "low": None, "high": None},
        "three figures": [0.1, 0.2, 0.3],
    }
    page = Page(report(tmp_path, [judged("a.jpg", "s")], card=dataclasses.replace(CARD, evaluation=figures)))
    for words in (
        # The table first, and below it all as it stands.
        "gate0.9170.742 to 0.977",
        "unknown0.500no interval",
        "0.9167 (0.7415 to 0.9768)",
        "0.948 (0.92 to 0.976)",
        "0.5 (not known to not known)",
        "0.1, 0.2, 0.3",
    ):
        assert words in page.text, words


def test_the_figures_are_of_the_variant_that_the_package_holds(tmp_path: Path) -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": 0.1, "high": 0.99}

    gate = {"cells": {"cells": 412, "ALL": 40}, "variant": {"sensitivity": figure(0.8125), "auc": figure(0.9)}}
    variant = dataclasses.replace(CARD.variants["int8"], gate=gate)
    figures = {"test_figures_fp32": {"sensitivity": figure(0.8375)}}
    card = dataclasses.replace(CARD, variants={"int8": variant}, evaluation=figures)
    page = Page(report(tmp_path, [judged("a.jpg", "s")], card=card))
    assert "Test cells (INT8): 412 cells, 40 of them ALL" in page.text
    assert "ALL cells called ALL81.2 %10.0 to 99.0 %" in page.text
    assert "0.5 is chance0.9000.100 to 0.990" in page.text
    assert "fp32" not in page.text


def test_a_card_claims_neither_a_zone_nor_an_interval_that_it_has_not() -> None:
    card = load_package(default_package_path()).card
    usual = model_card(card, {"int8"}, Language("en"))
    variant = card.variants["int8"]
    limits = dataclasses.replace(variant.thresholds, non_all_below=0.3, all_from=0.3)
    one = dataclasses.replace(
        card,
        variants={"int8": dataclasses.replace(variant, thresholds=limits)},
        evaluation={"adapted": {"auc": {"value": 1.0, "low": None, "high": None}}},
    )
    closed = model_card(one, {"int8"}, Language("en"))
    assert ("between them" in usual, "between them" in closed) == (True, False)
    assert "from there on ALL" in closed
    assert "<td>no interval</td>" in closed


def test_what_the_limitations_of_the_embedded_card_point_at_is_there(tmp_path: Path) -> None:
    card = load_package(default_package_path()).card
    field = dataclasses.replace(judged("a.jpg", "s"), model=dataclasses.replace(MODEL, variant="int8"))
    text = report(tmp_path, [field], card=card)
    (pointing,) = (sentence for sentence in card.limitations if "never saw on" in sentence or "left_out" in sentence)
    (heading,) = re.findall('"(.+?)"', pointing)
    assert f"<h4>{heading}</h4>" in text
    assert "left_out_laboratories" in card.evaluation
    assert "docs/" not in " ".join(card.limitations), "a report stands alone"


def test_what_a_card_says_is_words_and_tables_in_the_reader_s_language(tmp_path: Path) -> None:
    card = load_package(default_package_path()).card
    field = dataclasses.replace(judged("a.jpg", "s"), model=dataclasses.replace(MODEL, variant="int8"))
    (tmp_path / "de").mkdir()
    text = Page(report(tmp_path / "de", [field], card=card, language=Language("de"))).text
    german, whole = text.split("Alles, was die Karte sagt")
    figure = (card.variants["int8"].gate or {})["variant"]["sensitivity"]
    assert f"ALL-Zellen, als ALL eingestuft{100 * figure['value']:.1f} %".replace(".", ",") in german
    assert "In einem Labor, das es nie sah" in german
    limits = card.variants["int8"].thresholds
    assert f"Unter einer Wahrscheinlichkeit von {limits.non_all_below:.3f}".replace(".", ",") in german
    for left_out in ("Taleqani", "ALL-IDB"):
        assert f"{left_out}" in german.split("In einem Labor")[1]
    assert card.training["data"][0]["name"] in german
    # No key of JSON is there; below, all is as its maker wrote it.
    assert "judged on" not in german
    assert "recipe" not in german.split("Wie gut es ist")[1]
    assert "judged on" in whole


@pytest.mark.parametrize(
    "strange",
    [
        {"left_out_laboratories": 7},
        {
            "left_out_laboratories": {
                "runs": [{"left_out": "x"}, 3, {"left_out": "y", "judged_on": {"y": {"auc": "?"}}}]
            }
        },
        {"test_figures_fp32": {"auc": {"value": None, "low": None, "high": None}}},
    ],
)
def test_a_card_of_another_form_costs_no_report(tmp_path: Path, strange: dict[str, object]) -> None:
    card = dataclasses.replace(CARD, evaluation=strange, training={"cells": {"cells": "many"}, "data": [{}, "set"]})
    assert "Model card: tiny 1.2.3" in Page(report(tmp_path, [judged("a.jpg", "s")], card=card)).text


def test_needs_no_network_and_runs_no_script_but_its_own(tmp_path: Path) -> None:
    text = report(tmp_path, [judged("a.jpg", "s", cell(1, 0.9, "ALL"))])
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"link", "iframe", "object", "embed", "form"}
    assert [attributes for tag, attributes in page.tags if tag == "script"] == [{}]
    (policy,) = [attributes["content"] for _, attributes in page.tags if "http-equiv" in attributes]
    script = text.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"fetch|XMLHttp|WebSocket|import\(|innerHTML|eval|storage|cookie", script, re.IGNORECASE)
    assert page.images()
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in page.images())
    assert not re.search(r"https?:|url\(|@import|\bon\w+=", re.sub(r"base64,[^\"]*", "", text))


def test_pictures_are_pictures_with_descriptions(tmp_path: Path) -> None:
    page = Page(report(tmp_path, [judged("folder/a.jpg", "s", cell(1, 0.9, "ALL"), cell(2, 0.1, "non-ALL"))]))
    assert len(page.images()) == 3
    for image in page.images():
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(image["src"].split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None
        assert "a.jpg" in image["alt"]
        assert "folder" not in image["alt"]


def test_suspicious_slides_come_first(tmp_path: Path) -> None:
    fields = [
        judged("a.jpg", "unclear", cell(1, 0.1, "non-ALL")),
        FieldResult("x.jpg", "lost", "error", "x.jpg is damaged."),
        judged("b.jpg", "ill", *(cell(i, 0.99, "ALL") for i in range(1, 9))),
    ]
    page = Page(report(tmp_path, fields))
    assert re.findall(r"Slide (\w+)", page.text) == ["ill", "unclear", "lost"]


def test_the_interval_is_named_once_a_slide(tmp_path: Path) -> None:
    text = Page(report(tmp_path, [judged("a.jpg", "s", cell(1, 0.9, "ALL"))])).text
    assert text.count("95 % interval") == 1


def test_a_tile_shows_the_outline_of_its_cell(tmp_path: Path) -> None:
    field = judged("a.jpg", "s", cell(1, 0.9, "ALL"))
    text = report(tmp_path, [field], outlines=lambda wanted: tile_outlines([field.to_json()], SPEC.factor, wanted))
    # The crop of a nucleus 40 wide at 20, 20 is 80 wide and begins at 0, 0.
    assert '<svg viewBox="0 0 80 80" aria-hidden="true">' in text
    assert 'points="20.5,20.5 ' in text
    assert "<polygon" not in report(tmp_path, [field])


def test_a_tile_says_that_its_outline_may_lie_elsewhere(tmp_path: Path) -> None:
    sure, unsure = cell(1, 0.9, "ALL"), dataclasses.replace(cell(2, 0.9, "ALL"), outline_unsure=True)
    page = Page(report(tmp_path, [judged("a.jpg", "s", sure, unsure)]))
    assert page.text.count("outline unsure") == 1


def test_outlines_are_asked_for_those_cells_alone_that_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedding, "CELLS_PER_GALLERY", 2)
    monkeypatch.setattr(embedding, "FEWEST_CELLS", 1)
    field = judged("a.jpg", "s", *(cell(i, i / 10, "ALL") for i in range(1, 9)), cell(9, 0.1, "non-ALL"))
    asked: list[object] = []

    def outlines(wanted: object) -> dict[tuple[str, int], TileOutline]:
        asked.append(wanted)
        return {}

    report(tmp_path, [field], outlines=outlines)
    assert asked == [{("a.jpg", 8), ("a.jpg", 7), ("a.jpg", 9)}]


def test_a_frame_in_a_field_leads_back_to_the_tile_of_its_cell(tmp_path: Path) -> None:
    page = Page(report(tmp_path, [judged("a.jpg", "s", cell(1, 0.9, "ALL"), cell(2, 0.1, "non-ALL"))]))
    assert {"#t1c1", "#t1c2", "#f1c1", "#f1c2"} <= set(page.links())
    assert {link.removeprefix("#") for link in page.links()} <= set(page.ids())


def test_fields_are_folded_where_there_are_many_but_not_those_that_were_not_judged(tmp_path: Path) -> None:
    def open_fields(count: int) -> list[bool]:
        fields = [judged(f"{n}.jpg", "s", cell(1, 0.9, "ALL")) for n in range(count)]
        lost = FieldResult("x.jpg", "s", "unusable", "Out of focus.")
        tags = Page(report(tmp_path, [*fields, lost])).tags
        return ["open" in attributes for _, attributes in tags if attributes.get("class", "").startswith("field ")]

    assert open_fields(2) == [True, True, True]
    assert open_fields(9) == [*[False] * 9, True]


def test_how_good_a_field_is_stands_in_words(tmp_path: Path) -> None:
    field = judged("a.jpg", "s")
    quality = Quality(usable=True, metrics={"edge_width": 8.0, "exposure": 0.4, "stain": 0.5, "noise": 0.1})
    page = Page(report(tmp_path, [dataclasses.replace(field, quality=quality)]))
    assert "sharp enough, a little dark, well stained, noisy" in page.text


def test_every_cell_links_to_its_place(tmp_path: Path) -> None:
    fields = [
        judged(f"{n}.jpg", f"slide {n % 2}", *(cell(i, i / 10, LABELS[i % 3]) for i in range(1, 8))) for n in range(4)
    ]
    page = Page(report(tmp_path, fields))
    ids = page.ids()
    assert len(ids) == len(set(ids))
    targets = [link.removeprefix("#") for link in page.links()]
    assert len(targets) >= 28
    assert set(targets) <= set(ids)


def test_a_field_says_why_objects_were_rejected_and_which_cells_are_unlike_training(tmp_path: Path) -> None:
    rejected = [
        dataclasses.replace(cell(n, 0.0, "ALL"), kind="rejected", reason=reason, probability=None, label=None)
        for n, reason in ((2, "smudge"), (3, "debris"), (4, "smudge"))
    ]
    field = judged("a.jpg", "s", cell(1, 0.99, "indeterminate", unlike=1.7), *rejected, cell(5, 0.9, "ALL"))
    field = dataclasses.replace(field, cells=(*field.cells, cell(6, 0.98, "ALL", unlike=0.707)))
    page = Page(report(tmp_path, [field]))
    assert "2 ALL, 1 indeterminate, 3 rejected: smudge (2); debris (1)" in page.text
    assert "1: indeterminate, probability 0.99, unlike training" in page.text
    assert "5: ALL, probability 0.90, " not in page.text
    assert "6: ALL, probability 0.98, rather unlike training" in page.text, "it keeps its label, and that is said"
    tiles = re.findall(r"#(\d)((?:rather )?unlike training)?", re.sub(r"#(\d) ", r"#\1", page.text))
    assert {one for one in tiles if one[1]} == {("1", "unlike training"), ("6", "rather unlike training")}


def test_galleries_are_sorted_by_probability(tmp_path: Path) -> None:
    probabilities = [0.91, 0.72, 0.99, 0.85]
    fields = [judged("a.jpg", "s", *(cell(i, p, "ALL") for i, p in enumerate(probabilities, start=1)))]
    text = report(tmp_path, fields)
    shown = [float(value) for value in re.findall(r'class="probability">([\d.]+)<', text)]
    assert shown == sorted(probabilities, reverse=True)


def test_what_is_left_out_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "CELLS_PER_GALLERY", 5)
    monkeypatch.setattr(embedding, "FEWEST_CELLS", 1)
    monkeypatch.setattr(embedding, "OVERLAYS_PER_REPORT", 1)
    few = judged("few.jpg", "s", cell(1, 0.9, "ALL"))
    many = judged("many.jpg", "s", *(cell(i, 0.8, "ALL") for i in range(1, 9)))
    page = Page(report(tmp_path, [few, many]))
    assert "The first 5 are shown; 4 more are left out here." in page.text
    assert "Left out here to keep the report small: overlays/few.jpg" in page.text
    assert sum("Overlay of many.jpg" in image["alt"] for image in page.images()) == 1
    assert not any("Overlay of few.jpg" in image["alt"] for image in page.images())
    assert {link.removeprefix("#") for link in page.links()} <= {*page.ids(), "overlays/few.jpg"}


@pytest.mark.parametrize("slides", [1, 7, 300])
def test_the_report_stays_bounded(slides: int) -> None:
    assert 3 * slides * embedding.cells_per_gallery(slides) <= max(1500, 3 * slides * embedding.FEWEST_CELLS)
    fields = [judged(f"{n}.jpg", "s") for n in range(200)]
    assert 1 <= len(embedding.chosen_fields(fields, slides)) <= max(1, embedding.OVERLAYS_PER_REPORT // slides)


# Without a slash, so that it survives whole as the last part of a path, and with quotes to break out of attributes.
EVIL = '" onmouseover="alert(1)" x=\'"><script>alert(1)<img src=x onerror=alert(1)>&amp;'


def test_nothing_from_outside_becomes_markup(tmp_path: Path) -> None:
    bad = judged(EVIL, EVIL, cell(1, 0.9, "ALL"))
    bad = dataclasses.replace(
        bad,
        quality=Quality(usable=True, warnings=(EVIL,), metrics={EVIL: 1.0}),
        timings_ms={EVIL: 1.0},
        model=ModelIdentity(EVIL, EVIL, EVIL, EVIL, EVIL),
        provider=ProviderReport(EVIL, EVIL, EVIL, 1),
        cells=(*bad.cells, dataclasses.replace(cell(2, 0.0, "ALL"), kind="rejected", reason=EVIL, label=None)),
    )
    failed = FieldResult(EVIL + "2", EVIL, "error", EVIL)
    card = dataclasses.replace(
        CARD, name=EVIL, limitations=(EVIL,), evaluation={EVIL: {EVIL: EVIL}}, training={EVIL: [EVIL]}
    )
    page = Page(report(tmp_path, [bad, failed], card=card))
    assert [tag for tag, _ in page.tags].count("script") == 1, "its own"
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert all(image["src"].startswith("data:") for image in page.images())
    assert "<script>alert(1)" in page.text, "it is shown as what it is"


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_categories=()), min_size=1, max_size=60))
def test_any_name_gives_a_sound_page(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    folder = tmp_path_factory.mktemp("report")
    field = FieldResult(name, name, "error", f"{name} is damaged.")
    slide = SlideResult(
        name, {"ok": 0, "error": 1, "unusable": 0}, dict.fromkeys(LABELS, 0), None, None, "indeterminate", name
    )
    write_report(folder / "report.html", RunSummary((field,), (slide,)), Pictures())
    page = Page((folder / "report.html").read_text("utf-8"))
    assert INTENDED_USE in page.text


def test_lost_pictures_do_not_cost_the_report(tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8torn")
    field = judged("a.jpg", "s", cell(1, 0.9, "ALL"), cell(2, 0.9, "ALL"))
    for overlay in ("torn.jpg", "gone.jpg"):
        text = report(
            tmp_path, [field], overlays={"a.jpg": tmp_path / overlay}, thumbnails={("a.jpg", 1): tmp_path / "gone.jpg"}
        )
        page = Page(text)
        assert page.text.count("no picture") == 2
        assert {"f1c1", "f1c2"} <= set(page.ids())


def test_activation_maps_stand_beside_the_cell(tmp_path: Path) -> None:
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"map{number}.png"), np.full((8, 8, 3), number, np.uint8))
    maps = {("a.jpg", number): tmp_path / f"map{number}.png" for number in (1, 2)}
    field = judged("a.jpg", "s", cell(1, 0.8, "ALL"), cell(2, 0.9, "ALL"))
    page = Page(report(tmp_path, [field], activations=maps))
    words = [image["alt"] for image in page.images()][:4]
    assert words == [f"{kind} of cell {n} of a.jpg" for n in (2, 1) for kind in ("Picture", "Class activation map")]
    shown = [image["src"] for image in page.images() if "activation" in image["alt"]]
    assert shown == [
        f"data:image/png;base64,{base64.b64encode(maps['a.jpg', n].read_bytes()).decode()}" for n in (2, 1)
    ]
    assert "#maps" in page.links()
    assert "maps" in page.ids(), "what they mean is explained"


def test_a_missing_map_is_said_and_nothing_is_said_without_maps(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "map.png"), np.zeros((8, 8, 3), np.uint8))
    field = judged("a.jpg", "s", cell(1, 0.8, "ALL"), cell(2, 0.9, "non-ALL"))
    some = Page(report(tmp_path, [field], activations={("a.jpg", 1): tmp_path / "map.png"}))
    assert some.text.count("no map") == 1
    none = Page(report(tmp_path, [field]))
    assert "no map" not in none.text
    assert "activation" not in none.text


def test_a_resumed_run_with_another_model_is_said(tmp_path: Path) -> None:
    other = dataclasses.replace(judged("b.jpg", "s"), model=dataclasses.replace(MODEL, version="9"))
    page = Page(report(tmp_path, [judged("a.jpg", "s"), other]))
    assert "not all judged by the same model" in page.text
    assert "tiny 9" in page.text


def test_an_unwritable_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="report"):
        write_report(tmp_path / "file" / "report.html", RunSummary((), ()), Pictures())


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, ">0.99"),
        (0.9951, ">0.99"),
        (0.994, "0.99"),
        (0.5, "0.50"),
        (0.006, "0.01"),
        (0.0, "<0.01"),
        (None, "none"),
    ],
)
def test_rounding_makes_no_certainty(probability: float | None, words: str) -> None:
    one = dataclasses.replace(cell(1, 0.5, "ALL"), probability=probability)
    assert probability_words(one) == words


def test_rejected_objects_have_a_gallery_with_their_reasons_largest_nucleus_first(tmp_path: Path) -> None:
    small = dataclasses.replace(cell(2, 0.5, "ALL"), kind="rejected", reason="<platelet>", label=None, nucleus_area=9)
    large = dataclasses.replace(cell(3, 0.5, "ALL"), kind="rejected", reason="cut by the border", label=None)
    field = judged("a.jpg", "s", cell(1, 0.9, "ALL"), small, large)
    written = report(tmp_path, [field, judged("b.jpg", "t", cell(1, 0.9, "ALL"))])
    page = Page(written)
    shown = [image for image in page.images() if "rejected object" in image["alt"]]
    # Of the field as it is: no outline, number or legend of its neighbours is drawn in.
    for image in shown:
        pixels = read_image(base64.b64decode(image["src"].split(",")[1])).astype(int)
        assert np.abs(pixels - 210).max() <= 3, image["alt"]
    pieces = [image["alt"] for image in shown]
    assert pieces == ["Picture of rejected object 3 of a.jpg", "Picture of rejected object 2 of a.jpg"]
    assert all(image["src"].startswith("data:image/jpeg") for image in page.images())
    assert page.text.count("Rejected, not classified (2)") == 1
    assert {link.removeprefix("#") for link in page.links()} <= set(page.ids())
    assert "&lt;platelet&gt;" in written


def test_the_size_of_a_pixel_the_card_and_what_was_passed_over_are_shown(tmp_path: Path) -> None:
    field = dataclasses.replace(
        judged("a.jpg", "s", cell(1, 0.9, "ALL")), microns_per_pixel=0.12, microns_per_pixel_from="ImageJ"
    )
    passed_over = [Path("patient Jane") / f"<{number}>.czi" for number in range(25)]
    page = Page(report(tmp_path, [field], passed_over=passed_over))
    for words in (
        "0.12 \u00b5m (ImageJ)",
        "with the thresholds",
        "c4",
        "25 files or folders passed over",
        "<0>.czi",
        "and 5 more",
    ):
        assert words in page.text
    assert "Jane" not in page.text
