"""The report in a real Chromium: where links land, what is filtered, what is printed, and that nothing goes wrong."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

from edge_all.files.run_folder import RunFolder
from edge_all.model.card import Thresholds
from edge_all.outputs.overlay import save_overlay
from edge_all.outputs.report.galleries import Pictures
from edge_all.outputs.report.html_report import write_report
from edge_all.outputs.report.tile_outlines import tile_outlines
from edge_all.outputs.run_summary import RunSummary
from edge_all.outputs.thumbnails import save_thumbnails
from edge_all.preprocessing import PreprocessingSpec, crop_cells
from edge_all.rendering import SmearSpec, render_field
from edge_all.results import Cell, CellLabel, FieldResult, Quality
from edge_all.slides.verdict import judge_slide
from edge_all.wording.language import Language

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

LABELS: tuple[CellLabel, ...] = ("ALL", "non-ALL", "indeterminate")
WIDTH, HEIGHT = 1712, 1368
SPEC = PreprocessingSpec(64, 2.0)
MANY = 500


def cell(number: int, kind: int) -> Cell:
    x, y = 30 + 200 * (number % 8), 30 + 300 * (number // 8)
    side = 60 + 6 * (number % 5)
    box, middle = (x, y, side, side), (x + side / 2, y + side / 2)
    outline = ((x, y), (x + side - 1, y), (x + side - 1, y + side - 1), (x, y + side - 1))
    shared: dict[str, Any] = {"bbox": box, "centroid": middle, "area": side**2, "nucleus_bbox": box}
    shared |= {"nucleus_centroid": middle, "nucleus_area": side**2, "contour": outline}
    if number % 9 == 8:
        return Cell(number, kind="rejected", reason="platelet", **shared)
    return Cell(number, kind="candidate", probability=(number * 37 + kind) % 100 / 100, label=LABELS[kind], **shared)


def field(number: int, slide: str) -> FieldResult:
    cells = tuple(cell(index, (index + number) % 3) for index in range(1, 18))
    quality = Quality(usable=True, metrics={"edge_width": 5.0, "exposure": 0.8, "stain": 0.4, "noise": 0.01})
    return FieldResult(
        f"in/{slide}/field{number}.png", slide, "ok", width=WIDTH, height=HEIGHT, quality=quality, cells=cells
    )


def written(folder: Path, fields: list[FieldResult], language: Language | None = None) -> Path:
    """The report of a run; all fields share one picture, which is drawn once."""
    names = RunFolder.for_images(folder, [one.image for one in fields])
    pixels = render_field(1, width=WIDTH, height=HEIGHT, spec=SmearSpec(blasts=6)).pixels
    save_overlay(folder / "overlay.jpg", pixels, fields[0])
    save_thumbnails(names, fields[0], crop_cells(pixels, fields[0].candidates, None, SPEC), SPEC.factor)
    thumbnails = {
        (one.image, each.id): names.crop(fields[0].image, fields[0].candidates[0].id)
        for one in fields
        for each in one.candidates
    }
    thresholds = Thresholds(0.3, 0.7, 9.0, 0.02)
    slides = [
        judge_slide(slide, [one for one in fields if one.slide == slide], thresholds)
        for slide in dict.fromkeys(one.slide for one in fields)
    ]
    overlays = {one.image: folder / "overlay.jpg" for one in fields}
    path = folder / "report.html"
    write_report(
        path,
        RunSummary(tuple(fields), tuple(slides)),
        Pictures(overlays, thumbnails),
        outlines=lambda wanted: tile_outlines([one.to_json() for one in fields], SPEC.factor, wanted),
        language=language,
    )
    return path


@pytest.fixture(scope="session")
def run_of_many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("many"), [field(n, f"slide {n % 20}") for n in range(MANY)])


class Opened:
    """A page, and every line that its console got."""

    def __init__(self, browser: Browser, report: Path, **options: object) -> None:
        self.page = browser.new_page(**options)
        self.lines: list[str] = []
        self.page.on("console", lambda message: self.lines.append(message.text))
        self.page.on("pageerror", lambda error: self.lines.append(str(error)))
        self.page.on("request", lambda asked: self.lines.append(asked.url) if asked.url.startswith("http") else None)
        started = time.perf_counter()
        self.page.goto(report.as_uri())
        self.seconds = time.perf_counter() - started

    def top_of(self, anchor: str) -> float:
        top: float = self.page.evaluate(f"document.getElementById('{anchor}').getBoundingClientRect().top")
        return top

    def settled(self, anchor: str) -> float:
        """Where the anchor has come to rest in the window."""
        before = None
        while (now := self.top_of(anchor)) != before:
            before = now
            self.page.wait_for_timeout(80)
        return now


@pytest.fixture
def many(browser: Browser, run_of_many: Path) -> Iterator[Opened]:
    opened = Opened(browser, run_of_many, viewport={"width": 1366, "height": 768})
    yield opened
    assert opened.lines == []
    opened.page.close()


def test_five_hundred_fields_open_at_once(browser: Browser, run_of_many: Path) -> None:
    # The best of three, and more where other work takes the cores. It takes 0.7 to 1.2 s on two shared cores, which
    # are not always as fast.
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    seconds = []
    for _ in range(3):
        opened = Opened(browser, run_of_many, viewport={"width": 1920, "height": 1080})
        seconds.append(opened.seconds)
        opened.page.close()
    assert min(seconds) < 2.0 * busy


def test_links_land_where_they_point_in_the_last_slide_of_many(many: Opened) -> None:
    links = many.page.locator("#s20 .tiles a")
    for number in (0, links.count() // 2, links.count() - 1):
        anchor = links.nth(number).get_attribute("href").removeprefix("#")
        links.nth(number).click()
        assert 100 < many.settled(anchor) < 768 - 60, anchor
        field = anchor.split("c")[0]
        assert many.page.evaluate(f"document.getElementById('{field}').open")


def test_a_link_to_a_slide_or_a_field_brings_it_to_the_top(many: Opened) -> None:
    head = many.page.evaluate("document.querySelector('.tools').getBoundingClientRect().bottom")
    many.page.locator("nav a").nth(2).click()
    assert head - 1 <= many.settled("s3") <= head + 60
    many.page.goto(many.page.url.split("#")[0] + "#f400")
    assert head - 1 <= many.settled("f400") <= head + 60


@pytest.mark.parametrize("width", [800, 1100, 1366])
def test_the_bar_hides_no_heading_however_long_its_words_are(browser: Browser, tmp_path: Path, width: int) -> None:
    fields = [field(n, f"slide {n % 3}") for n in range(12)]
    report = written(tmp_path, fields, Language("de"))
    opened = Opened(browser, report, viewport={"width": width, "height": 768})
    page = opened.page
    banner, bar = (page.locator(selector).first.bounding_box() for selector in (".banner", ".tools"))
    assert banner["y"] + banner["height"] <= bar["y"] + 1
    assert (bar["height"] < 45) == (width >= 1366), "on the usual screen one row"
    page.locator("nav a").nth(1).click()
    top = opened.settled("s2")
    bottom = page.evaluate("document.querySelector('.tools').getBoundingClientRect().bottom")
    assert bottom - 1 <= top <= bottom + 40
    assert opened.lines == []
    page.close()


def test_a_frame_leads_back_to_its_cell_although_that_was_filtered_away(many: Opened) -> None:
    many.page.locator("#s1 .tiles a").first.click()
    anchor = many.page.url.split("#")[1]
    many.settled(anchor)
    many.page.uncheck(".tools [value=all]")
    many.page.uncheck(".tools [value=non-all]")
    many.page.uncheck(".tools [value=indeterminate]")
    many.page.locator(f"#{anchor}").click()
    tile = "t" + anchor[1:]
    assert many.page.url.endswith(f"#{tile}")
    assert 100 < many.settled(tile) < 768 - 60
    assert many.page.locator(f"#{tile}").is_visible()


def test_cells_are_filtered_and_sorted(many: Opened) -> None:
    page = many.page
    page.uncheck(".tools [value=rejected]")
    assert not page.locator("#s1 .gallery.rejected").is_visible()
    present = probabilities(page)
    whole = len(present)
    low, high = present[2 * whole // 3], present[whole // 3]
    assert min(present) < low, "some lie outside"
    page.fill("[name=least-probability]", str(low))
    page.fill("[name=most-probability]", str(high))
    values = probabilities(page)
    assert values == [value for value in present if low <= value <= high]
    assert page.locator("#s1 .gallery.all .matching").inner_text() == f"{len(values)} of {whole} match"
    said = page.locator(".tools .inverted")
    assert not said.is_visible()
    page.fill("[name=least-probability]", "0.9")
    page.fill("[name=most-probability]", "0.1")
    assert said.is_visible()
    page.fill("[name=least-probability]", "")
    page.fill("[name=most-probability]", "")
    assert not said.is_visible()
    page.select_option("[name=order]", "area")
    order = page.evaluate("[...document.querySelectorAll('#s1 .gallery.all li')].map(tile => +tile.dataset.area)")
    assert order == sorted(order, reverse=True)
    assert len(set(order)) > 1
    page.select_option("[name=order]", "field")
    order = page.evaluate("[...document.querySelectorAll('#s1 .gallery.all li')].map(tile => +tile.dataset.field)")
    assert order == sorted(order)
    page.uncheck("[name=outlines]")
    assert page.locator("#s1 .tiles svg:visible").count() == 0


def probabilities(page: Page) -> list[float]:
    """Of the visible cells of the first gallery, in their order."""
    shown = page.locator("#s1 .gallery.all .tiles li:visible")
    return [float(shown.nth(number).get_attribute("data-probability") or "nan") for number in range(shown.count())]


@pytest.mark.parametrize("slides", [1, 4])
def test_a_slide_prints_on_one_page(browser: Browser, tmp_path: Path, slides: int) -> None:
    report = written(tmp_path, [field(n, f"slide {n % slides}") for n in range(155)])
    page = Opened(browser, report).page
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    pages = len(re.findall(rb"/Type /Page\b(?!s)", (tmp_path / "report.pdf").read_bytes()))
    # What was found, each slide, how it was made.
    assert pages == 1 + slides + 1
    page.close()


def test_a_long_name_keeps_its_end_on_paper(browser: Browser, tmp_path: Path) -> None:
    name = "BloodImage_of_the_left_microscope_00012.png"
    report = written(tmp_path, [dataclasses.replace(field(1, "s"), image=f"in/s/{name}")])
    page = Opened(browser, report, viewport={"width": 700, "height": 900}).page
    page.emulate_media(media="print")
    first, last, box = page.evaluate(
        """() => {
            const file = document.querySelector(".where .file"), name = file.querySelector("bdi").firstChild;
            const place = index => {
                const range = document.createRange();
                range.setStart(name, index), range.setEnd(name, index + 1);
                return range.getBoundingClientRect();
            };
            return [place(0), place(name.length - 1), file.getBoundingClientRect()];
        }"""
    )
    assert first["right"] < box["left"]
    assert box["left"] < last["left"] < last["right"] <= box["right"] + 1
    inside = "one => one.getBoundingClientRect().right <= one.closest('a').getBoundingClientRect().right"
    assert page.locator(".where .id").first.evaluate(inside)
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_words_are_read_on_their_ground_in_both_schemes(
    browser: Browser, tmp_path: Path, scheme: str, width: int, height: int
) -> None:
    report = written(tmp_path, [field(n, "s") for n in range(2)])
    opened = Opened(browser, report, viewport={"width": width, "height": height}, color_scheme=scheme)
    page = opened.page
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for selector in (
        "h1",
        ".facts",
        ".badge",
        ".counts li",
        ".key",
        ".where",
        ".probability",
        ".field h4",
        ".warnings li",
    ):
        assert contrast(page, selector) >= 4.5, selector
    assert opened.lines == []
    page.close()


def contrast(page: Page, selector: str) -> float:
    """Contrast of words and ground (WCAG 2.2, 1.4.3)."""
    ink, ground = page.evaluate(
        """selector => {
            const element = document.querySelector(selector);
            let behind = element;
            while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
            return [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
        }""",
        selector,
    )
    one, other = sorted((luminance(ink), luminance(ground)))
    return (other + 0.05) / (one + 0.05)


def luminance(colour: str) -> float:
    channels = [int(value) / 255 for value in re.findall(r"\d+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def until(page: Page, condition: str) -> None:
    """Wait; Playwright's own way evaluates a string in the page, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def test_a_field_is_looked_at_in_full_where_its_image_is_at_hand(browser: Browser, tmp_path: Path) -> None:
    opened = Opened(browser, written(tmp_path, [field(n, f"slide {n}") for n in range(2)]))
    page = opened.page
    assert page.locator(".look:visible").count() == 0
    images = tmp_path / "in"
    for number, (width, height) in enumerate([(WIDTH, HEIGHT), (99, 99)]):
        (images / f"slide {number}").mkdir(parents=True)
        picture = np.full((height, width, 3), 120, np.uint8)
        cv2.imwrite(str(images / f"slide {number}" / f"field{number}.png"), picture)
    page.set_input_files("[name=images]", images)
    assert page.locator(".look:visible").count() == 2
    page.locator("#f1 .look").click()
    page.wait_for_selector("dialog .stage img")
    assert page.evaluate("document.querySelector('dialog .stage img').getBoundingClientRect().width") == WIDTH
    assert page.locator("dialog .stage rect").count() == 17
    page.locator("dialog .pane").hover()
    page.mouse.wheel(0, -100)
    until(page, f"document.querySelector('dialog .stage').clientWidth > {WIDTH}")
    page.click("dialog button")
    page.locator("#f2 .look").click()
    until(page, "document.querySelector('dialog span').textContent.startsWith('This is not the image')")
    assert page.locator("dialog .stage img").count() == 0
    assert opened.lines == []
    page.close()
