"""What stands on paper is what is so: the card's page is current, and tables name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_all import __version__
from edge_all.model.figures import package_figures
from edge_all.model.store import find_package
from edge_all.outputs.card_markdown import card_markdown
from edge_all.results import INTENDED_USE

ROOT = Path(__file__).parents[1]
TRUST = sorted((ROOT / "docs" / "trust").glob("*.md"))
PAGES = [*TRUST, *(ROOT / name for name in ("SECURITY.md", "CONTRIBUTING.md", "MODEL_CARD.md"))]


def test_the_model_card_is_that_of_the_embedded_model() -> None:
    assert (ROOT / "MODEL_CARD.md").read_text(encoding="utf-8") == card_markdown(find_package(None).card), (
        "type: edge-all model show --markdown > MODEL_CARD.md"
    )


def test_the_readme_has_the_figures_of_the_embedded_model() -> None:
    (group,) = (one for one in package_figures(find_package(None).card) if one.name == "test figures int8")
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"INT8 with its thresholds, on the card's {group.cells} test cells, {group.positive} of them ALL" in readme
    for name in ("sensitivity", "specificity", "auc", "indeterminate"):
        value, low, high = group.figures[name]
        words = "AUC" if name == "auc" else name
        assert f"{words} {value:.3f} ({low:.3f} to {high:.3f})" in readme, name


def test_a_card_of_others_writes_no_tags_and_no_columns() -> None:
    import dataclasses

    card = find_package(None).card
    limitations = ("<script>a | b</script>\n# not a heading",)
    page = card_markdown(dataclasses.replace(card, limitations=limitations))
    assert "<script>" not in page
    assert "\n# not" not in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_says_what_it_is_for(page: Path) -> None:
    assert INTENDED_USE in " ".join(page.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`([\w./]+\.(?:py|md|cff))`", text):
        assert list(ROOT.glob(name)) or list(ROOT.glob(f"tests/**/{name}")), name
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    for module in re.findall(r"`(edge_all\w*\.[\w.]+)`", text):
        package = module.split(".")[0]
        places = [ROOT, ROOT / "export", ROOT / "calibration"]
        assert any(
            (place / module.replace(".", "/")).exists() or (place / f"{module.replace('.', '/')}.py").exists()
            for place in places
            if (place / package).exists()
        ), module


def test_the_citation_names_the_version() -> None:
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_claim_has_all_its_items() -> None:
    text = (ROOT / "docs" / "trust" / "claim.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| .+ \| (met|in part|not met|does not apply) \| .+ \|$", text, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 45))
