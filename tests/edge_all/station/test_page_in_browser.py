"""The page in a real Chromium: a slide reviewed by keys, by mouse, against others, and while the station is away."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge_all.api.screener import Screener
from edge_all.classification.classifier import Classifier
from edge_all.outputs.pictures import png_bytes
from edge_all.rendering.field import render_field
from edge_all.rendering.spec import SmearSpec
from edge_all.results import INTENDED_USE, CellLabel, FieldResult, Quality
from edge_all.station.desk import Station
from edge_all.station.intake.judging import judge_of
from edge_all.station.review.kinds import DEFAULT_KINDS, Kind
from edge_all.station.storage.found_fields import ImageFile, JudgingModel, record_finding
from edge_all.station.storage.image_queue import add_to_queue
from edge_all.station.storage.kept_pictures import keep_picture
from edge_all.station.storage.slide_records import find_or_add_slide
from edge_all.station.web.accounts import AccountBook, AccountHolders
from edge_all.station.web.application import web_application
from edge_all.station.web.serving import served
from edge_all.wording.language import LANGUAGE_SETTING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

sys.path.append(str(Path(__file__).parent))  # what it stands on lies beside it
_spec = importlib.util.spec_from_file_location("reviewing", Path(__file__).with_name("reviewing.py"))
assert _spec is not None
assert _spec.loader is not None
REVIEWING = importlib.util.module_from_spec(_spec)
LABELS: list[CellLabel | None] = ["ALL", "ALL", *["non-ALL"] * 4, "indeterminate", None]


class Desk:
    """A station whose server can be stopped and started again at its port."""

    def __init__(
        self, folder: Path, classifier: Classifier | None = None, visitors: AccountHolders | None = None
    ) -> None:
        self.station = Station(folder / "station")
        self.classifier, self.visitors = classifier, visitors
        self.images = folder / "images"
        self._serving = ExitStack()
        self.address = ""
        self.start(0)

    def start(self, port: int) -> None:
        app = web_application(self.station, classifier=self.classifier, visitors=self.visitors)
        self.address = self._serving.enter_context(served(app, "127.0.0.1", port))

    def stop(self) -> None:
        self._serving.close()

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1].strip("/"))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.stop()
    made.station.close()


@pytest.fixture
def code(desk: Desk, slide_with_image: Callable[..., str]) -> str:
    return slide_with_image(desk.station, desk.images, "Smith, J.", LABELS)


class Reader:
    """Somebody at a browser of their own; whatever goes wrong in it is kept."""

    def __init__(self, browser: Browser, desk: Desk, name: str, scheme: str = "light", locale: str = "en-GB") -> None:
        self.context = browser.new_context(viewport={"width": 1366, "height": 768}, color_scheme=scheme, locale=locale)
        self.page: Page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda asked: self.wrong.append(asked.url) if desk.address not in asked.url else None)
        self.desk = desk
        self.page.goto(desk.address)
        self.page.wait_for_selector("#name:focus")  # given with the first frame, which may be later than all else
        self.page.keyboard.type(name)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#live h1")

    def open(self, code: str) -> Page:
        self.page.goto(f"{self.desk.address}slides/{code}")
        self.page.wait_for_selector(".tile")
        return self.page

    def close(self) -> None:
        self.context.close()
        assert self.wrong == []


@pytest.fixture
def ada(browser: Browser, desk: Desk) -> Iterator[Reader]:
    reader = Reader(browser, desk, "Ada")
    yield reader
    reader.close()


def named_kinds(desk: Desk, code: str) -> list[str]:
    """What Ada has called cells of a slide, as the station has it, in order."""
    return sorted(cell.kind for cell in desk.station.review(code, "Ada").view().cells if cell.kind)


SHOWN = """() => ({
    state: document.getElementById("review-state")?.textContent, said: document.getElementById("told")?.textContent,
    dialog: document.querySelector("dialog[open]")?.id, focus: document.activeElement?.outerHTML.slice(0, 120),
})"""


def until(page: Page, expression: str) -> None:
    """Wait until an expression holds; the page's own policy forbids Playwright's way of doing so."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        if time.monotonic() >= end:
            raise AssertionError(f"{expression}: the page shows {page.evaluate(SHOWN)}")
        page.wait_for_timeout(40)


def eventually(page: Page, holds: Callable[[], bool]) -> None:
    """Wait until the station has what the page has shown already."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, f"the page shows {page.evaluate(SHOWN)}"
        page.wait_for_timeout(40)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label')"))


def test_a_slide_is_reviewed_and_signed_by_keys_alone(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.page
    page.reload()
    page.wait_for_selector(".list a")
    page.keyboard.press("Enter")  # the first slide has the focus
    page.wait_for_selector(".tile:focus")
    assert focused(page).startswith("Field 1, indeterminate")
    page.keyboard.press("l")
    page.wait_for_selector(".tile:has-text('lymphocyte')")
    assert "Field 1, ALL" in focused(page), "on to the next"
    page.keyboard.press(".")
    page.keyboard.press(".")
    until(page, "document.getElementById('review-state').textContent.startsWith('All that')")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".group:has-text('Indeterminate')")
    page.keyboard.press("Control+y")
    page.wait_for_selector(".tile:has-text('lymphocyte')")
    page.keyboard.press("Control+Enter")  # at once: what is still on its way is waited for
    page.wait_for_selector("#sign-dialog[open]")
    known = page.evaluate(f"fetch('/api/v1/slides/{code}').then((answer) => answer.json())")["counts"]["warnings"]
    assert known, "a slide of so few cells has one"
    for place in ("#warnings", "#sign-warnings"):
        assert page.locator(f"{place} li").all_text_contents() == known, "whoever signs has been told"
    page.keyboard.press("Enter")
    until(page, "document.getElementById('review-state').textContent.startsWith('Signed by Ada')")
    page.keyboard.press("Escape")
    page.wait_for_selector("tbody:has-text('signed') a:focus")
    assert desk.station.review(code, "Ada").view().state.locked
    assert named_kinds(desk, code) == ["lymphocyte"]


def test_several_slides_are_reviewed_one_after_the_other_by_keys_alone(
    browser: Browser, desk: Desk, slide_with_image: Callable[..., str]
) -> None:
    """As `reviewing.py` times it with ten real ones."""
    _spec.loader.exec_module(REVIEWING)  # which needs Playwright
    for name, labels in (("many", ["ALL"] * 20), ("few", LABELS), ("none", ["non-ALL"] * 60)):
        slide_with_image(desk.station, desk.images, name, labels)
    context = browser.new_context(locale="en-GB")
    _, keys = REVIEWING.review(context.new_page(), desk.address, 3)
    slides = desk.station.slides("Ada")
    assert [(one.state.locked, one.state.reader) for one in slides if one.state] == [(True, "Ada")] * 3
    assert [one.slide.name for one in slides] == ["many", "few", "none"]
    assert keys < 60
    context.close()


def test_signing_leads_to_the_cells_that_were_not_looked_at(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    page.keyboard.press("End")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#told:has-text('must be looked at')")
    assert "must be looked at" in focused(page)
    view = desk.station.review(code, "Ada").view()
    assert not view.state.locked
    place = "document.activeElement.dataset.cell"
    there = page.evaluate(place)
    for _ in range(4):  # signing again and again goes on to no further cell, and is no look
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        assert (page.evaluate(place), "must be looked at" in focused(page)) == (there, True)
    page.wait_for_timeout(500)  # looks are told together
    assert desk.station.review(code, "Ada").view().tally.to_look_at == view.tally.to_look_at > 1
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    until(page, f"document.querySelector('[data-cell=\"{there}\"]').getAttribute('aria-label').includes('seen')")


def test_a_frame_a_range_and_pointing_choose_cells(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    tiles = page.locator(".group[data-counts='non-ALL'] .tile")
    first, third = tiles.nth(0).bounding_box(), tiles.nth(2).bounding_box()
    assert first is not None
    assert third is not None
    page.mouse.move(first["x"] + 10, first["y"] - 4)
    page.mouse.down()
    page.mouse.move(third["x"] + 10, third["y"] + 60, steps=5)
    page.mouse.up()
    assert page.locator(".tile[aria-selected='true']").count() == 3
    page.keyboard.press("m")
    until(page, "document.querySelector('[data-count=monocyte]').textContent === '3'")
    page.keyboard.press("Control+z")
    until(page, "document.querySelector('[data-count=monocyte]').textContent === ''")
    tiles.nth(0).click()
    tiles.nth(3).click(modifiers=["Shift"])
    assert page.locator(".tile[aria-selected='true']").count() == 4
    page.keyboard.press("Escape")
    tiles.nth(1).hover()
    page.keyboard.press("Delete")
    page.wait_for_selector(".tile.excluded")
    eventually(page, lambda: desk.station.review(code, "Ada").view().tally.excluded == 1)


def test_a_cell_is_found_in_its_field_and_a_missed_one_added(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    page.keyboard.press("ArrowRight")
    cell = page.evaluate("document.activeElement.dataset.cell")
    page.keyboard.press("Enter")
    page.wait_for_selector("field-view:focus")
    assert page.inner_text("#inspector dd >> nth=0") == f"{cell} in field 1"
    assert page.inner_text("#inspector dd >> nth=1") == f"1.png #{cell.rpartition('-')[2]}"
    until(page, "document.querySelector('.stage img').naturalWidth === 1600")
    page.keyboard.press("0")
    page.keyboard.press("Insert")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.keyboard.press("Enter")
    page.wait_for_selector("#kind-dialog[open]")
    page.keyboard.press("a")
    until(page, "document.querySelector('[data-count=ALL]').textContent === '3'")
    drawn = [one for one in desk.station.review(code, "Ada").view().cells if one.found is None]
    assert drawn[0].circle is not None
    assert drawn[0].circle[:2] == pytest.approx((800, 600), abs=4)
    page.keyboard.press("Escape")
    page.wait_for_selector(".tile:focus")
    assert page.evaluate("document.activeElement.dataset.cell") == cell


@pytest.mark.parametrize("by", ["Alt", "the button"])
def test_a_loop_chooses_what_it_holds(ada: Reader, code: str, by: str) -> None:
    page = ada.open(code)
    boxes = [tile.bounding_box() for tile in page.locator(".group[data-counts='non-ALL'] .tile").all()]
    first, second, third = ((box["x"] + box["width"] / 2, box["y"]) for box in boxes[:3] if box)
    height = boxes[0]["height"] if boxes[0] else 0
    # Around the first and the third, over the second: a frame would take all three.
    way = [
        (first[0] - 30, first[1] - 3),
        (first[0] - 30, first[1] + height - 8),
        (first[0] + 30, first[1] + height - 8),
    ]
    way += [(first[0] + 31, first[1] + 12), (third[0] - 31, third[1] + 12), (third[0] - 30, third[1] + height - 8)]
    way += [(third[0] + 30, third[1] + height - 8), (third[0] + 30, third[1] - 3)]
    page.mouse.move(*way[0])
    if by == "Alt":
        page.keyboard.down("Alt")
    else:
        page.click("#loop")
        page.mouse.move(*way[0])
    page.mouse.down()
    for point in way[1:]:
        page.mouse.move(*point, steps=4)
    assert page.locator(".loop polygon").count() == 1
    page.mouse.up()
    if by == "Alt":
        page.keyboard.up("Alt")
    chosen = page.locator(".tile[aria-selected='true']")
    assert [round(box["x"]) for tile in chosen.all() if (box := tile.bounding_box())] == [
        round(boxes[number]["x"])
        for number in (0, 2)
        if boxes[number]  # type: ignore[index]
    ]
    assert page.locator(".loop").count() == 0
    page.keyboard.press("m")
    until(page, "document.querySelector('[data-count=monocyte]').textContent === '2'")
    assert second


def drag(page: Page, x: float, y: float, radius: float) -> None:
    """Draw a circle around a place of the field, in its pixels, wherever that is on the screen."""
    box = page.locator(".stage").bounding_box()
    port = "JSON.stringify(document.querySelector('field-view').port)"
    # The field is fitted to the stage once its picture is there; a place measured before that is another one after it.
    page.evaluate(f"window.portBefore = {port}")
    page.wait_for_function(
        f"(() => {{ const now = {port}, same = now === window.portBefore; window.portBefore = now; return same; }})()",
        polling=100,
    )
    left, top, scale = page.evaluate(
        "(({ left, top, scale }) => [left, top, scale])(document.querySelector('field-view').port)"
    )
    assert box is not None
    page.mouse.move(box["x"] + left + x * scale, box["y"] + top + y * scale)
    page.mouse.down()
    page.mouse.move(box["x"] + left + (x + radius) * scale, box["y"] + top + y * scale, steps=6)
    page.mouse.up()


def test_a_merged_cell_is_split_and_an_outline_replaced(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    merged = page.evaluate("document.activeElement.dataset.cell")
    page.click("#inspector button:has-text('Split')")
    page.wait_for_selector("field-view.drawing")
    assert "Part 1" in str(page.get_attribute("field-view", "data-words"))
    until(page, "document.querySelector('.stage img').naturalWidth === 1600")
    drag(page, 240, 60, 40)
    page.keyboard.press("Enter")
    until(page, "document.querySelector('field-view').dataset.words.startsWith('Part 2')")
    drag(page, 420, 60, 50)
    page.keyboard.press("Enter")
    until(page, "document.querySelector('field-view').dataset.words.startsWith('Part 3')")
    page.keyboard.press("Escape")
    until(page, "document.querySelectorAll('.tile').length === 9")
    parts = [cell for cell in desk.station.review(code, "Ada").view().cells if cell.found is None]
    assert merged not in desk.station.review(code, "Ada").view().cell
    assert [part.circle for part in parts] == [pytest.approx(one, abs=4) for one in ((240, 60, 40), (420, 60, 50))]
    page.keyboard.press("Control+z")
    until(page, "document.querySelectorAll('.tile').length === 8")
    assert merged in desk.station.review(code, "Ada").view().cell
    page.keyboard.press("Escape")
    page.wait_for_selector(".tile:focus")
    page.keyboard.press("ArrowRight")
    cell = page.evaluate("document.activeElement.dataset.cell")
    page.click("#inspector button:has-text('Outline')")
    page.wait_for_selector("field-view.drawing")
    drag(page, 300, 200, 80)
    page.keyboard.press("Enter")
    eventually(page, lambda: desk.station.review(code, "Ada").view().cell[cell].circle is not None)
    assert desk.station.review(code, "Ada").view().cell[cell].circle == pytest.approx((300, 200, 80), abs=4)
    picture = f".tile[data-cell='{cell}'] img"
    until(page, f"document.querySelector({picture!r}).src.includes('/fields/1/picture?x=2')")


def test_a_circle_is_drawn_by_keys_alone(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    page.keyboard.press("Enter")
    page.wait_for_selector("field-view:focus")
    until(page, "document.querySelector('.stage img').naturalWidth === 1600")
    page.keyboard.press("0")
    page.keyboard.press("Insert")
    for key in ("ArrowLeft", "ArrowUp", "+", "+", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#kind-dialog[open]")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('.tile').length === 9")
    (drawn,) = [one for one in desk.station.review(code, "Ada").view().cells if one.found is None]
    assert drawn.circle is not None
    assert drawn.circle[0] < 800
    assert drawn.circle[1] < 600
    assert drawn.kind == "cannot tell"


def test_the_activation_map_takes_the_place_of_the_picture(
    browser: Browser, tmp_path: Path, tiny_package: Path
) -> None:
    screener = Screener(tiny_package, device="cpu")
    desk = Desk(tmp_path, screener.classifier)
    path = tmp_path / "1.png"
    path.write_bytes(png_bytes(render_field(3, width=700, height=600, spec=SmearSpec(blasts=2, neutrophils=2)).pixels))
    with desk.station.database.write() as connection:
        slide = find_or_add_slide(connection, "/x", "1")
        file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
        record_finding(connection, file, screener.screen(path), judge_of(screener).model)
    ada = Reader(browser, desk, "Ada")
    page = ada.open(slide.code)
    page.keyboard.press("#")
    page.wait_for_selector(".map-words")
    until(page, "document.querySelector('#inspector img').src.endsWith('/activation')")
    until(page, "document.querySelector('#inspector img').naturalWidth > 100")
    page.keyboard.press("#")
    until(page, "document.querySelector('#inspector img').src.endsWith('/picture')")
    page.keyboard.press("#")
    page.wait_for_selector(".map-words")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('#inspector img').src.endsWith('/picture')")
    assert page.locator(".map-words").count() == 0
    ada.close()
    desk.stop()
    desk.station.close()


def test_the_earlier_picture_of_a_field_that_was_taken_again_is_shown(
    ada: Reader, desk: Desk, code: str, add_field: Callable[..., int]
) -> None:
    station = desk.station
    (field,) = station.fields(code)
    earlier = np.full((900, 1200, 3), (200, 30, 30), np.uint8)
    keep_picture(station.database.folder, field.field_id, earlier)
    again = Path(str(field.path))
    again.write_bytes(png_bytes(np.full((1200, 1600, 3), 215, np.uint8)))
    add_field(station, ["ALL"] * 3, path=str(again), content=again.read_bytes())
    page = ada.open(code)
    until(page, "document.querySelectorAll('.tile').length === 3")
    page.keyboard.press("Enter")
    page.click("field-view button:has-text('1 earlier')")
    page.wait_for_selector("#earlier-dialog[open] img")
    assert "7 cells" in page.inner_text("#earlier-list")
    until(page, "document.querySelector('#earlier-list img').naturalWidth > 500")


def test_a_german_browser_is_spoken_to_in_german(
    browser: Browser, desk: Desk, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LANGUAGE_SETTING)
    ada = Reader(browser, desk, "Ada", locale="de-DE")
    page = ada.page
    page.goto(desk.address)
    page.wait_for_selector(".list a")
    assert page.get_attribute("html", "lang") == "de"
    listed = page.inner_text("body")
    for words in ("Präparate", "verdächtig", "Anzusehen", "2 von 7 28,6 %", INTENDED_USE, "Nur für Forschungszwecke"):
        assert words in " ".join(listed.split()), words
    # The sign that empties the field keeps its place free also where it is not shown.
    assert page.evaluate("""() => {
        const field = document.querySelector("input[type=search]")
        const pen = document.createElement("canvas").getContext("2d")
        pen.font = getComputedStyle(field).font
        return pen.measureText(field.placeholder).width + 20 + 20 < field.clientWidth
    }""")
    page.goto(f"{desk.address}slides/{code}")
    page.wait_for_selector(".tile:focus")
    page.evaluate("document.querySelector('.top h1').firstChild.data = 'Präparat 2026-03-17_probe-S1042_knochenmark '")
    # Widths of half a pixel are rounded up in the one and down in the other: one pixel is nothing cut.
    until(page, "[...document.querySelectorAll('.top h1, .top .use')].every(e => e.scrollWidth <= e.clientWidth + 1)")
    assert focused(page).startswith("Gesichtsfeld 1, unbestimmt, Wahrscheinlichkeit von ALL 0,50")
    until(page, "document.getElementById('figures').textContent.includes('28,6 %')")
    shown = " ".join(page.inner_text("body").split())
    for words in (
        "2 ALL von 7 Zellen",
        "Zellen sind noch anzusehen.",
        "falsch Positiven des Klassifikators",
        "Unterschreiben …",
        "Lymphozyt",
    ):
        assert words in shown, words
    page.keyboard.press("l")
    page.wait_for_selector(".tile:has-text('Lymphozyt')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#told.shown:has-text('angesehen sein')")
    assert named_kinds(desk, code) == ["lymphocyte"]
    page.keyboard.press("?")
    page.wait_for_selector("#help-dialog[open]")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.wait_for_selector("field-view:focus")
    english = re.compile(
        r"\b(?:the|cells?|fields?|slides?|seen|looked|judged|undo|redo|sign|reviewer|outlines?|whole|order|of|and|none)\b",
        re.IGNORECASE,
    )
    for path in ("", f"slides/{code}", "weeks", "settings", "who"):
        page.goto(desk.address + path)
        page.wait_for_timeout(400)
        shown = page.inner_text("body").replace(INTENDED_USE, "").replace("Sign ", "")
        attributes = page.evaluate(
            "[...document.querySelectorAll('[title],[aria-label],[alt],[placeholder]')].flatMap((one) =>"
            " [one.title, one.ariaLabel, one.alt, one.placeholder]).filter(Boolean).join(' | ')"
        )
        assert english.findall(re.sub(r"edge-all [a-z ]+|/\S+", "", f"{shown} {attributes}")) == [], path
    ada.close()


def test_the_list_of_slides_shows_its_keys(ada: Reader, code: str) -> None:
    page = ada.page
    page.goto(ada.desk.address)
    page.wait_for_selector(f"[data-slide='{code}'] a:focus")
    page.keyboard.press("?")
    page.wait_for_selector("#help-dialog[open]")
    assert "open the slide" in page.inner_text("#help-dialog")
    page.keyboard.press("Escape")
    page.wait_for_selector("#help-dialog", state="hidden")
    page.click("#help-button")
    page.wait_for_selector("#help-dialog[open]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#help-dialog", state="hidden")
    assert page.url == ada.desk.address


def test_an_administrator_sets_the_kinds_on_the_page(ada: Reader, desk: Desk) -> None:
    page = ada.page
    page.click("a:has-text('Settings')")
    page.wait_for_selector("#kinds")
    page.wait_for_load_state()  # with it the page's scripts have begun
    page.click("#another")
    page.keyboard.type("blast, other")
    page.locator("#kinds tr:last-child .counts").select_option("ALL")
    page.locator("#kinds tr:last-child .key").fill("o")
    page.check("#second-reader")
    page.fill("#forget-after", "90")
    page.click("#settings button[type=submit]")
    page.wait_for_selector("#told.shown:has-text('set so')")
    settings = desk.station.settings()
    assert settings.kinds[-1] == Kind("blast, other", "ALL", "o")
    assert settings.kinds[:-1] == DEFAULT_KINDS
    assert (settings.second_reader, settings.forget_names_after_days) == (True, 90)
    page.locator("#kinds tr:last-child .key").fill("a")
    page.click("#settings button[type=submit]")
    page.wait_for_selector("#told.shown:has-text('same key')")
    assert desk.station.settings() == settings


def test_a_comment_is_written_and_a_signed_slide_opened_again_by_keys(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    page.keyboard.press("F2")
    page.wait_for_selector("#comment-dialog[open]")
    page.keyboard.type("clumped chromatin")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#inspector blockquote:has-text('clumped chromatin')")
    page.keyboard.press("F2")
    page.wait_for_selector("#comment-dialog[open]")
    page.keyboard.press("Control+Enter")  # with nothing in it the dialog stays
    page.keyboard.type("two nucleoli")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#inspector blockquote:has-text('two nucleoli')")
    assert page.locator("dialog[open]").count() == 0, "it signs nothing"
    for _ in range(3):
        page.keyboard.press(".")
    until(page, "document.getElementById('review-state').textContent.startsWith('All that')")
    until(
        page, "/been. [34] seen, not decided/.test(document.getElementById('review-state').textContent)"
    )  # the next is seen soon
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#sign-dialog[open]")
    page.focus("#sign-reason")
    page.keyboard.press("Control+Enter")
    until(page, "document.getElementById('review-state').textContent.startsWith('Signed by Ada')")
    page.keyboard.press("a")
    page.wait_for_selector("#told.shown:has-text('signed')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#amend-dialog[open]")
    page.keyboard.press("Control+Enter")  # without a reason the dialog stays
    page.keyboard.type("the third cell again")
    page.keyboard.press("Control+Enter")
    until(page, "document.getElementById('review-state').textContent.startsWith('Amended: the third cell again')")
    assert not desk.station.review(code, "Ada").view().state.locked


def test_a_field_is_moved_and_zoomed_by_mouse_keys_and_two_fingers(ada: Reader, code: str) -> None:
    page = ada.open(code)
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.stage img').naturalWidth === 1600")
    page.keyboard.press("0")
    scale = "document.querySelector('field-view').port.scale"
    whole = page.evaluate(scale)
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.keyboard.press("+")
    page.keyboard.press("+")  # wider than the window: what is narrower stays in its middle
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    under = "document.querySelector('field-view').port.toImage(300, 200).map(Math.round).join()"
    place = page.evaluate(under)
    page.mouse.wheel(0, -400)
    until(page, f"{scale} > 4 * {whole}")
    assert page.evaluate(under) == place, "what lies under the pointer stays there"
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 180, steps=4)
    page.mouse.up()
    assert page.evaluate(under) != place
    page.keyboard.press("1")
    assert page.evaluate(scale) == 1
    left = page.evaluate("document.querySelector('field-view').port.left")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.querySelector('field-view').port.left") < left
    page.evaluate(
        """() => {
            const stage = document.querySelector(".stage");
            const touch = (kind, id, x) => stage.dispatchEvent(new PointerEvent(kind, {
                pointerId: id, pointerType: "touch", clientX: stage.getBoundingClientRect().x + x,
                clientY: stage.getBoundingClientRect().y + 200, bubbles: true }));
            stage.setPointerCapture = () => {};
            touch("pointerdown", 1, 300); touch("pointerdown", 2, 400);
            touch("pointermove", 2, 500); touch("pointerup", 1, 300); touch("pointerup", 2, 500);
        }"""
    )
    assert page.evaluate(scale) == pytest.approx(2, rel=0.01)
    painted = "document.querySelector('.stage canvas').getContext('2d').getImageData(0, 0, 600, 400).data.some(Boolean)"
    page.keyboard.press("0")
    until(page, painted)
    page.keyboard.press(" ")
    page.evaluate("document.querySelector('field-view').choose(null)")
    page.keyboard.press(",")
    until(page, f"!({painted})")
    assert page.get_attribute("[data-verb=outlines]", "aria-pressed") == "false"


def test_a_field_that_cannot_be_judged_says_why(ada: Reader, desk: Desk, judging: JudgingModel, tmp_path: Path) -> None:
    path = tmp_path / "dark.png"
    path.write_bytes(png_bytes(np.full((300, 400, 3), 9, np.uint8)))
    reason = "The image is black. Check the lamp, the shutter and the exposure."
    result = FieldResult("x", "x", "unusable", reason, 400, 300, Quality(False, (reason,)))
    with desk.station.database.write() as connection:
        slide = find_or_add_slide(connection, "/x", "dark")
        file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
        record_finding(connection, file, result, judging)
    page = ada.page
    page.goto(f"{desk.address}slides/{slide.code}")
    page.wait_for_selector("#gallery .empty")
    page.click("#show-field")
    page.wait_for_selector(f".field-bar .alarm:has-text('{reason}')")
    assert page.inner_text(".field-bar small").startswith("dark.png, 0 objects, 400")
    until(page, "document.querySelector('.stage img').naturalWidth === 400")


def test_an_image_that_was_given_up_is_listed_and_tried_again(ada: Reader, desk: Desk) -> None:
    with desk.station.database.write() as connection:
        slide = find_or_add_slide(connection, "/images", "Smith, J.")
        add_to_queue(connection, slide.id, "/images/broken.jpg", 0, 10, 10)
        connection.execute("UPDATE queue SET state = 'dead', attempts = 5, last_error = 'It is broken.'")
    page = ada.page
    page.reload()
    page.click("summary:has-text('given up')")
    assert page.inner_text(".dead li") == "broken.jpg, Smith, J.: after 5 attempts. It is broken."
    page.click("#retry")
    page.wait_for_selector("#live:has-text('1 image waits')")
    assert page.locator("details.dead").count() == 0
    assert desk.station.queue().waiting == 1


def test_confirmed_cells_are_shown_beside_the_one_in_question(
    browser: Browser, tmp_path: Path, tiny_package: Path
) -> None:
    screener = Screener(tiny_package, device="cpu")
    desk = Desk(tmp_path, screener.classifier)
    codes = []
    for number in (1, 2):
        path = tmp_path / f"{number}.png"
        smear = render_field(number, width=700, height=600, spec=SmearSpec(blasts=2, neutrophils=2))
        path.write_bytes(png_bytes(smear.pixels))
        with desk.station.database.write() as connection:
            slide = find_or_add_slide(connection, "/x", str(number))
            file = ImageFile(slide.id, str(path), 0, hashlib.sha256(path.read_bytes()).hexdigest())
            record_finding(connection, file, screener.screen(path), judge_of(screener).model)
        codes.append(slide.code)
    ada = Reader(browser, desk, "Ada")
    page = ada.open(codes[1])
    page.click("#inspector button:has-text('Compare')")
    page.wait_for_selector(".references:has-text('There are none yet')")
    page.wait_for_selector("#inspector dd:has-text('yes')")  # it was seen meanwhile, which takes nothing away
    assert page.is_visible(".references")
    review = desk.station.review(codes[0], "Grace")
    done = review.mark_seen({cell.id: 0 for cell in review.view().cells})
    page.request.post(
        f"{desk.address}api/v1/slides/{codes[0]}/sign",
        headers={"Edge-All-Reader": "Grace", "Cookie": ""},
        data={"meaning": "reviewed", "reason": "routine", "last_seq": done.view.last_seq},
    )
    end = time.monotonic() + 20
    while page.locator(".references figure").count() == 0:
        assert time.monotonic() < end
        page.click("#inspector button:has-text('Compare')")
        page.wait_for_timeout(200)
    assert codes[0] in str(page.get_attribute(".references figure", "title"))
    until(page, "document.querySelector('.references img').naturalWidth > 50")
    ada.close()
    desk.stop()
    desk.station.close()


def test_a_session_that_ends_in_the_middle_of_a_review_costs_no_gesture(
    browser: Browser, tmp_path: Path, slide_with_image: Callable[..., str]
) -> None:
    book, now = AccountBook(tmp_path / "station"), [0.0]
    password = "correct horse battery"  # noqa: S105
    book.put("Ada", password, "reviewer")
    desk = Desk(tmp_path, visitors=AccountHolders(book, lambda: now[0]))
    code = slide_with_image(desk.station, desk.images, "Smith, J.", LABELS)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{desk.address}slides/{code}")
    page.wait_for_selector("#name:focus")
    page.keyboard.type("Ada")
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_selector(".tile:focus")
    now[0] += 13 * 3600
    page.keyboard.press("l")
    page.wait_for_selector("#enter-dialog[open]")
    page.fill("#enter-password", "wrong horse battery")
    page.keyboard.press("Enter")
    page.wait_for_selector("#enter-refused:has-text('wrong')")
    page.fill("#enter-password", password)
    page.keyboard.press("Enter")
    until(page, "!document.querySelector('#enter-dialog').open")
    eventually(page, lambda: named_kinds(desk, code) == ["lymphocyte"])
    context.close()
    desk.stop()
    desk.station.close()


def test_a_password_never_stands_in_the_address(browser: Browser, tmp_path: Path) -> None:
    book = AccountBook(tmp_path / "station")
    book.put("Ada", "correct horse battery", "reviewer")
    desk = Desk(tmp_path, visitors=AccountHolders(book))
    context = browser.new_context()
    page = context.new_page()
    page.route("**/*.js", lambda route: route.abort())  # sent before the page's script is there
    page.goto(desk.address)
    page.fill("#name", "Ada")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert "horse" not in page.url
    assert page.is_visible("#password")
    page.unroute("**/*.js")
    page.reload()
    page.fill("#name", "Ada")
    page.fill("#password", "correct horse battery")
    page.keyboard.press("Enter")
    page.wait_for_selector("#live h1")
    context.close()
    desk.stop()
    desk.station.close()


def test_on_paper_there_are_cells_and_counts_and_no_buttons(ada: Reader, code: str) -> None:
    page = ada.open(code)
    page.emulate_media(media="print")
    shown = page.inner_text("body")
    assert "2 ALL of 7 cells" in shown
    assert INTENDED_USE in shown
    assert not page.is_visible("#sign")
    assert not page.is_visible("#inspector")
    assert page.is_visible(".tile >> nth=0")
    assert page.evaluate("getComputedStyle(document.querySelector('cell-gallery')).overflowY") == "visible"


def test_who_is_overtaken_is_told_and_decides(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    page.route("**/api/v1/events*", lambda route: route.abort())
    page.reload()
    page.wait_for_selector(".tile:focus")
    cell = page.evaluate("document.activeElement.dataset.cell")
    desk.station.review(code, "Grace").reclassify({cell: 0}, "smudge")
    page.keyboard.press("a")
    page.wait_for_selector("#conflict-dialog[open]")
    assert "Grace" in page.inner_text("#conflict-text")
    page.keyboard.press("Enter")
    until(page, "!document.querySelector('#conflict-dialog').open")
    eventually(page, lambda: desk.station.review(code, "Grace").view().cell[cell].decided_by == "Ada")
    ada.wrong.clear()


def test_what_others_do_shows_by_itself(
    ada: Reader, desk: Desk, code: str, slide_with_image: Callable[..., str]
) -> None:
    page = ada.open(code)
    cell = page.evaluate("document.activeElement.dataset.cell")
    desk.station.review(code, "Grace").reclassify({cell: 0}, "smudge")
    page.wait_for_selector(".tile:has-text('smudge')")
    assert "Grace" in page.inner_text("#told")
    page.goto(desk.address)
    assert page.locator(".list tbody tr").count() == 1
    slide_with_image(desk.station, desk.images, "Jones, K.", ["ALL"] * 12)
    page.wait_for_selector("tbody tr:has-text('Jones, K.')")


def test_no_gesture_is_lost_while_the_station_is_away(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.open(code)
    port = desk.port
    desk.stop()
    page.keyboard.press("l")
    page.wait_for_selector("#trouble:has-text('1 decision waits')")
    page.keyboard.press("a")
    desk.start(port)
    page.wait_for_selector("#trouble", state="hidden")
    eventually(page, lambda: named_kinds(desk, code) == ["ALL", "lymphocyte"])


def test_the_cells_are_asked_for_once_and_anew_where_gestures_wait(ada: Reader, desk: Desk, code: str) -> None:
    page = ada.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/cells?" in request.url else None)
    page.wait_for_timeout(1000)  # until what happened before is no news any more
    ada.open(code)
    assert len(asked) == 1
    # The page tells its first look, and then clears what it had kept for sending.
    until(page, "document.getElementById('review-state').textContent.includes('1 seen')")
    # A gesture of before that waits is newer than what was asked for early.
    page.evaluate(f"""sessionStorage.setItem("edge-all {code} Ada", JSON.stringify([
        {{path: "/api/v1/slides/{code}/comment", body: {{text: "late", gesture: "late-1"}}}}]))""")
    asked.clear()
    page.reload()
    page.wait_for_selector(".tile:focus")
    assert len(asked) > 1
    assert [one.text for one in desk.station.review(code, "Ada").view().comments] == ["late"]


def test_five_thousand_cells_stay_fluent(browser: Browser, desk: Desk, slide_with_image: Callable[..., str]) -> None:
    labels: list[CellLabel | None] = ["ALL" if number % 9 == 0 else "non-ALL" for number in range(500)]
    for field in range(10):
        code = slide_with_image(desk.station, desk.images, "Many", labels, str(field))
    ada = Reader(browser, desk, "Ada")
    started = time.perf_counter()
    page = ada.open(code)
    first = time.perf_counter() - started
    until(page, "document.querySelectorAll('.tile').length === 5000")
    page.wait_for_timeout(500)
    seconds = page.evaluate(
        """async () => {
            const until = (id) => new Promise((done) => {
                const look = () => document.querySelector(`[data-cell="${id}"] b`).textContent === "monocyte"
                    ? done() : requestAnimationFrame(look);
                look();
            });
            const id = document.activeElement.dataset.cell, started = performance.now();
            document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "m", bubbles: true }));
            await until(id);
            return (performance.now() - started) / 1000;
        }"""
    )
    # Seen with `pytest -s`; what the machine does besides decides as much as the page.
    sys.stderr.write(f"first cells after {first:.2f} s, a gesture shown after {1000 * seconds:.0f} ms\n")
    ada.close()
    assert first < 10
    assert seconds < 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_accessibility_fault(browser: Browser, desk: Desk, code: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    ada = Reader(browser, desk, "Ada", scheme)
    page = ada.page
    found = []
    for path in ("", f"slides/{code}", "weeks", "settings", "who"):
        page.goto(desk.address + path)
        page.wait_for_timeout(600)
        assert INTENDED_USE in page.inner_text("body")
        found += _faults(axe, page, path)
    page.goto(f"{desk.address}slides/{code}")
    page.wait_for_selector(".tile:focus")
    page.keyboard.press("Enter")
    page.wait_for_timeout(600)
    found += _faults(axe, page, "field")
    for dialog in ("help-dialog", "sign-dialog", "kind-dialog"):
        page.evaluate(f"document.getElementById('{dialog}').showModal()")
        found += _faults(axe, page, dialog)
        page.evaluate(f"document.getElementById('{dialog}').close()")
    ada.close()
    assert found == []


def _faults(axe: object, page: Page, where: str) -> list[str]:
    result = axe.run(page)  # type: ignore[attr-defined]
    return [
        f"{where}: {one['id']}: {node['html'][:150]}"
        for one in result.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
