"""What people read in their language: German words, numbers and dates, and files for programs that stay as they are.

After words were added or changed, bring the catalogues up to date, translate what is empty, and run it again::

    python tests/edge_all/test_language.py
"""

from __future__ import annotations

import ast
import io
import os
import re
import string
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import cv2
import pytest

jinja2 = pytest.importorskip("jinja2")
babel = pytest.importorskip("babel.messages")
from babel.messages.catalog import Catalog  # noqa: E402
from babel.messages.mofile import write_mo  # noqa: E402
from babel.messages.pofile import read_po, write_po  # noqa: E402
from jinja2 import nodes  # noqa: E402

from edge_all import quality  # noqa: E402
from edge_all.imaging import refusals  # noqa: E402
from edge_all.rendering import SmearSpec, render_field  # noqa: E402
from edge_all.results import INTENDED_USE  # noqa: E402
from edge_all.segmentation.doubts import CHANNELS_SWAPPED  # noqa: E402
from edge_all.slides import verdict  # noqa: E402
from edge_all.station.review.kinds import DEFAULT_KINDS  # noqa: E402
from edge_all.station.review.signatures import SignatureMeaning  # noqa: E402
from edge_all.wording.language import LANGUAGE_SETTING, Language, language_of_environment  # noqa: E402

PACKAGE = Path(__file__).parents[2] / "edge_all"
CATALOGUES = sorted((PACKAGE / "wording" / "languages").glob("*/LC_MESSAGES/edge_all.po"))
# Words that come out of results or tables, so that no call names them.
LABELS = ("ALL", "non-ALL", "indeterminate", "rejected", "candidate", "suspicious", "not detected")
MEASURES = (
    *("edge width", "exposure", "clipped white", "clipped black", "stain", "colour", "cast", "noise", "specimen"),
    *("saturated", "saturated stain", "blocks", "pen"),
)
# What people call cells, what becomes of fields and slides, and what people may do.
STATION = (
    *get_args(SignatureMeaning),
    *(kind.name for kind in DEFAULT_KINDS),
    *("left out", "error", "unusable", "pending", "in review", "signed", "amended", "reviewer", "administrator"),
)
IN_SCRIPTS = re.compile(r'\bword\(\s*"((?:[^"\\]|\\.)*)"|\bcounted\(\s*"((?:[^"\\]|\\.)*)",\s*"((?:[^"\\]|\\.)*)"')
QUALITIES = (
    *("sharp", "sharp enough", "soft", "out of focus", "too dark", "dark", "a little dark", "bright enough"),
    *("overexposed", "no stain", "pale stain", "well stained", "colour cast", "noisy"),
)


def words_in_the_code() -> set[str | tuple[str, str]]:
    """Every message that a call of ``say`` (of ``self`` in a `Language`) names, and constants that are handed to it."""
    found: set[str | tuple[str, str]] = {INTENDED_USE, *LABELS, *MEASURES, *QUALITIES, *STATION}
    found |= words_of_the_station_page()
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = {
            target.id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called, first = node.func, node.args[0]
            speaker = "self" if file.name == "language.py" else "say"
            if isinstance(called, ast.Name) and called.id == speaker:
                if isinstance(first, ast.Constant):
                    found.add(first.value)
                elif isinstance(first, ast.Name) and first.id in constants:
                    found.add(constants[first.id])
            elif isinstance(called, ast.Attribute) and called.attr == "counted" and ast.unparse(called.value) == "say":
                found.add((ast.literal_eval(first), ast.literal_eval(node.args[1])))
    return found


def words_of_the_station_page() -> set[str | tuple[str, str]]:
    """What its templates hand to ``say`` and its scripts to ``word`` and ``counted``."""
    found: set[str | tuple[str, str]] = set()
    page = PACKAGE / "station" / "web"
    for file in (page / "templates").glob("*.html"):
        for call in jinja2.Environment(autoescape=True).parse(file.read_text(encoding="utf-8")).find_all(nodes.Call):
            first = call.args[0] if call.args else None
            if not isinstance(first, nodes.Const):
                continue
            if isinstance(call.node, nodes.Name) and call.node.name == "say":
                found.add(first.value)
            elif isinstance(call.node, nodes.Getattr) and call.node.attr == "counted":
                found.add((first.value, call.args[1].as_const()))
    for file in (page / "static").glob("*.js"):
        for alone, one, several in IN_SCRIPTS.findall(file.read_text(encoding="utf-8")):
            found.add(alone or (one, several))
    return found


def catalogue_of(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream, locale=file.parts[-3])


def compiled(catalogue: Catalog) -> bytes:
    stream = io.BytesIO()
    write_mo(stream, catalogue)
    return stream.getvalue()


@pytest.fixture
def german() -> Language:
    return Language("de")


def test_german_is_there() -> None:
    assert "de" in [file.parts[-3] for file in CATALOGUES]


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.parts[-3])
def test_a_catalogue_translates_every_word_and_no_other(file: Path) -> None:
    entries = [entry for entry in catalogue_of(file) if entry.id]
    assert {entry.id for entry in entries if entry.context is None} == words_in_the_code()
    untranslated = [
        entry.id for entry in entries if not all(entry.string if isinstance(entry.string, tuple) else (entry.string,))
    ]
    assert untranslated == []


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.parts[-3])
def test_a_translation_has_the_places_of_its_message(file: Path) -> None:
    for entry in catalogue_of(file):
        if not entry.id:
            continue
        messages = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        strings = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        assert {places(text) for text in strings} == {places(messages[-1])}, entry.id


def places(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.parts[-3])
def test_what_is_read_is_what_was_translated(file: Path) -> None:
    assert file.with_suffix(".mo").read_bytes() == compiled(catalogue_of(file)), (
        "python tests/edge_all/test_language.py"
    )


@pytest.mark.parametrize(
    ("blasts", "judged", "unsure", "unlike"),
    [(0, 0, 0, 0), (5, 60, 0, 50), (40, 60, 0, 0), (0, 5, 0, 0), (0, 60, 20, 0), (0, 60, 0, 0)],
)
def test_every_verdict_has_its_reason_in_german(
    german: Language, blasts: int, judged: int, unsure: int, unlike: int
) -> None:
    english = verdict.decide(blasts, judged, unsure, 0.103, unlike)[1]
    said = german.sentence(english)
    assert said != english
    assert not re.search(r"\d\.\d|cells|\bto\b", said)
    assert re.findall(r"\d+", said) == re.findall(r"\d+", english)


def test_all_that_quality_says_is_said_in_german(german: Language) -> None:
    good = dict.fromkeys(quality._Metrics.__dataclass_fields__, 0.0)
    good |= {"edge_width": 5.0, "exposure": 0.8, "stain": 0.5, "colour": 0.5, "specimen": 1.0}
    assert quality._reason(quality._Metrics(**good)) is None
    sentences = set()
    for name in good:
        for value in (0.0, 0.025, 0.06, 0.3, 0.5, 0.9, 0.99, 11.0, 14.0):
            metrics = quality._Metrics(**{**good, name: value})
            sentences |= {quality._reason(metrics), *quality._warnings(metrics)} - {None}
    assert len(sentences) > 15
    assert [sentence for sentence in sentences if german.sentence(sentence) == sentence] == []


def test_reasons_of_rejection_and_warnings_of_a_slide_are_said_in_german(german: Language) -> None:
    for reason in ("too large", "debris", "cut by the border", "platelet", "smudge"):
        assert german.sentence(reason) != reason
    warnings = (*verdict._warnings(1, 2, 50, 7), *verdict._on_repeated({"b.jpg": "a.jpg"}))
    assert len(warnings) == 5
    assert [warning for warning in warnings if german.sentences(warning) == warning] == []
    assert german.sentences(CHANNELS_SWAPPED) != CHANNELS_SWAPPED
    assert "b.jpg = a.jpg" in german.sentences(warnings[-1])
    of_station = verdict._on_repeated({"field 2": "field 1"})[0]
    assert "(zum Beispiel Gesichtsfeld 2 = Gesichtsfeld 1)" in german.sentences(of_station)


def test_numbers_and_dates_are_written_as_germans_write_them(german: Language) -> None:
    assert german.percent(0.598) == "59,8 %"
    assert german.percent_range(0.501, 0.689) == "50,1 bis 68,9 %"
    assert german.minute(datetime(2026, 3, 4, 5, 6, tzinfo=UTC)) == "04.03.2026 05:06"
    assert german.figure(">0.99") == ">0,99"
    assert german.figure("edge-all 1.2") == "edge-all 1,2"
    english = Language("en")
    assert english.percent_range(0.501, 0.689) == "50.1 to 68.9 %"
    assert english.minute(datetime(2026, 3, 4, 5, 6, tzinfo=UTC)) == "2026-03-04 05:06"


def test_a_sentence_that_no_catalogue_knows_stays_english(german: Language) -> None:
    assert german.sentences("Something {odd} of 3.5 kinds.") == "Something {odd} of 3.5 kinds."
    assert Language("en").sentence("The image is dark.") == "The image is dark."


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({LANGUAGE_SETTING: "de"}, "de"),
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_CH"}, "de"),
        ({"LANG": "de_DE.UTF-8", LANGUAGE_SETTING: "en"}, "en"),
        ({"LC_ALL": "C.UTF-8", "LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "../../etc"}, "en"),
        ({"LANG": "fr_FR.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_that_of_the_system_unless_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], code: str
) -> None:
    for name in (LANGUAGE_SETTING, "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert language_of_environment.__wrapped__().code == code


def test_a_german_station_has_a_german_report_and_the_same_files_for_programs(
    tmp_path: Path, tiny_package: Path
) -> None:
    (tmp_path / "Klinik").mkdir()
    pixels = render_field(5, width=500, height=500, spec=SmearSpec(blasts=3, platelets=3)).pixels
    cv2.imwrite(str(tmp_path / "Klinik" / "a.png"), pixels[..., ::-1])
    (tmp_path / "Klinik" / "leer.png").write_bytes(b"")
    for code in ("de", "en"):
        command = [str(Path(sys.executable).with_name("edge-all")), "screen", "Klinik", "-o", code]
        done = subprocess.run(
            [*command, "--model", str(tiny_package)],
            cwd=tmp_path,
            env={**os.environ, LANGUAGE_SETTING: code},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 1, done.stderr
    for name in ("cells.csv", "slides.json"):
        assert (tmp_path / "de" / name).read_bytes() == (tmp_path / "en" / name).read_bytes()
    report = (tmp_path / "de" / "report.html").read_text(encoding="utf-8")
    assert '<html lang="de">' in report
    shown = re.sub(r"<style>.*?</style>|<script>.*?</script>|<[^>]*>", " ", report, flags=re.DOTALL)
    for words in (INTENDED_USE, "Nur für Forschungszwecke", "Präparat Klinik", "Anteil ALL", "ist leer (0 Byte)"):
        assert words in " ".join(shown.split()), words
    method = " ".join(shown.split("Modell und")[-1].split())
    for words in ("Rechengenauigkeit", "kein Beschleuniger", "Zellen finden", "Grenzen (englisch)"):
        assert words in method, words
    for stage in ("decode", "segmentation", "preprocessing", "outputs", "no accelerator"):
        assert stage not in method, stage
    assert not re.search(
        r"\b(?:field|fields|cells|slide|judged|probability|interval|Called|rejected)\b", shown.split("Modell und")[0]
    )
    assert re.search(r"\d,\d %", shown)


def test_one_cell_is_one_in_both_languages() -> None:
    german = Language("de")
    for judged, english, translated in (
        (1, "0 of 1 cell is ALL", "0 von 1 Zelle ist ALL"),
        (2, "0 of 2 cells are ALL", "0 von 2 Zellen sind ALL"),
    ):
        reason = verdict.decide(0, judged, 0, 0.1)[1]
        assert reason.startswith(english)
        assert german.sentence(reason).startswith(translated)
    for unsure, english, translated in ((1, "1 more is", "1 weitere ist"), (2, "2 more are", "2 weitere sind")):
        reason = verdict.decide(1, 26, unsure, 0.1)[1]
        assert english in reason
        assert translated in german.sentence(reason)
    assert "(1 von 1 Zelle)" in german.sentence(verdict.decide(0, 1, 0, 0.1, 1)[1])


def test_the_german_manual_has_the_parts_and_commands_of_the_english_one() -> None:
    docs = PACKAGE.parent / "docs"
    english, german = ((docs / name).read_text(encoding="utf-8") for name in ("technician.md", "technician-de.md"))
    for part in (r"^```\n.*?^```", r"^#+ ", r"^\| `[\w./]+`", r"^\|---"):
        found = [re.findall(part, text, re.DOTALL | re.MULTILINE) for text in (english, german)]
        assert found[0] == found[1], part
    assert INTENDED_USE in german
    # What a slide is told of in the manual is what the report says.
    assert Language("de").sentence(verdict.decide(0, 60, 0, 0.1, 57)[1]) in " ".join(german.split())


# What only who starts programs reads, not who looks at a page or a report.
FOR_COMMANDS = {
    *("capturing.py", "folder_watch.py", "run_import.py", "slide_names.py", "station_log.py", "watching.py"),
    *("report_files.py", "backup.py", "serving.py", "sources.py"),
}
PEOPLE_READ = ("station", "imaging", "errors.py")
COMMANDS = {"_connect", "read_kinds", "__init__", "reading", "_version"}
"""Functions that refuse before there is a page."""


def test_every_error_that_a_page_or_a_report_shows_is_said_in_german(german: Language) -> None:
    errors = errors_for_people()
    said = [f"{file}: {words}" for file, *both in errors for words in both if half_english(german, words)]
    # What is put together of several parts, in the forms that it takes; and what only a program can do wrong.
    for_programs = {"7 is 7 7.", "Pass uint8 or uint16 [height, width] or [height, width, 1, 3 or 4], in RGB order."}
    put_together = {"7 7.", "7 7, which is not supported.", "7 of slide 7 that must be looked at 7 not been."} | {
        *("There is nothing to 7 on slide 7.", "7 decided on cell 7 meanwhile (7, 7)7."),
        "Restore a backup (7): edge-all store restore. What is there now is kept beside it.",
    }
    assert {words.partition(": ")[2] for words in said} == for_programs | put_together
    unseen = "{} of slide 7 that must be looked at {} not been."
    decided = "Ada decided on cell 7 meanwhile (smudge, 7){}."
    backup = "Restore a backup ({}): edge-all store restore. What is there now is kept beside it."
    forms = [
        *(unseen.format(*one) for one in (("1 cell", "has"), ("2 cells", "have"))),
        *(f"There is nothing to {one} on slide 7." for one in ("undo", "redo")),
        *(decided.format(one) for one in ("", ", and 1 more cell was changed", ", and 2 more cells were changed")),
        *(backup.format(one) for one in ("the last one is 7", "there is none in the station's folder")),
    ]
    assert [one for one in forms if half_english(german, one)] == []
    assert len(errors) > 90


def test_a_sentence_is_not_half_german_because_of_what_is_put_into_it(german: Language) -> None:
    at = "2026-03-04T05:06:07.890+00:00"
    said = german.sentences(f"Hess decided on cell 1-7 meanwhile (undone: lymphocyte, {at}).")
    assert said == "Hess hat inzwischen über Zelle 1-7 entschieden (zurückgenommen: Lymphozyt, 04.03.2026 05:06 UTC)."
    assert german.sentences("The image of field 3 has changed since it was judged.").startswith("Das Bild von Gesichts")
    assert german.sentences("The image is a truncated JPEG: its end is missing.") == (
        "Das Bild ist ein abgeschnittenes JPEG: Das Ende fehlt."
    )
    assert german.sentences("smudge.png is empty (0 bytes).") == "smudge.png ist leer (0 Byte)."
    assert german.named("split into 3") == "in 3 geteilt"
    assert german.named("Basophil of our own") == "Basophil of our own"


def half_english(german: Language, said: str) -> bool:
    """Whether a part of what is said stays as it is."""
    translated = german.sentences(said)
    if translated == said:
        return True
    return any(part in translated for part in re.split(r"(?<=[.:]) (?=[A-Z])", said))


def errors_for_people() -> list[tuple[str, str, str]]:
    """Problem and remedy of each error of the rooms that people read of, ``7`` for what varies."""
    found = []
    for file in sorted(PACKAGE.rglob("*.py")):
        inside = file.relative_to(PACKAGE)
        if inside.parts[0] not in PEOPLE_READ or file.name in FOR_COMMANDS:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        constants = {
            target.id: ast.unparse(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name not in COMMANDS]
        for call in {one for function in functions for one in ast.walk(function) if isinstance(one, ast.Call)}:
            name = ast.unparse(call.func)
            words = [sample(one, constants) for one in call.args if not isinstance(one, ast.Starred)]
            if name == "fail_corrupt":
                found.append((str(inside), f"X.png {words[1]}.", refusals.COPY_AGAIN))
            elif name == "fail_unsupported":
                found.append((str(inside), f"X.png {words[1]}, which is not supported.", refusals._SAVE_AGAIN))
            elif name.endswith("Error") and name[:-5] not in ("Value", "Type", "Unreadable", "struct."):
                spoken = [one for one in words if one is not None and " " in one]
                found += [(str(inside), spoken[0], spoken[-1])] if spoken else []
    return found


def sample(node: ast.expr, constants: dict[str, str]) -> str | None:
    """A message with ``7`` for what varies; None where it is not written there."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id in constants:
        return str(ast.literal_eval(constants[node.id]))
    if isinstance(node, ast.JoinedStr):
        return "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    return None


if __name__ == "__main__":
    for file in CATALOGUES:
        catalogue = catalogue_of(file)
        known = words_in_the_code()
        for entry in list(catalogue):
            if entry.id and entry.context is None and entry.id not in known:
                catalogue.delete(entry.id)
        for message in sorted(known, key=str):
            if catalogue.get(message if isinstance(message, str) else message[0]) is None:
                catalogue.add(message)
        with file.open("wb") as stream:
            write_po(stream, catalogue, width=120)
        file.with_suffix(".mo").write_bytes(compiled(catalogue))
