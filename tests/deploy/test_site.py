"""The documentation is a site that is read without a network; its troubleshooting page says what the program says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_what_the_troubleshooting_page_quotes_is_what_the_program_says() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    sources = [*(ROOT / "edge_all").rglob("*.py"), *(ROOT / "deploy").rglob("*.py")]
    # Texts that go on in the next line of the source are joined.
    said = re.sub(r'"\s*\n\s*f?"', "", "\n".join(path.read_text(encoding="utf-8") for path in sources))
    said = re.sub(r"\{[^{}]*\}", "{}", said).casefold()
    quoted = [
        quote for row in re.findall(r"^\| (.+?) \|", page, re.MULTILINE) for quote in re.findall(r'"([^"]+)"', row)
    ]
    assert len(quoted) > 15
    missing = [quote for quote in quoted if not all(part.strip(" ,").casefold() in said for part in quote.split("..."))]
    assert missing == []


def test_every_page_is_in_the_site() -> None:
    plan = (ROOT / "deploy" / "site" / "mkdocs.yml").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages <= set(re.findall(r": ([\w/-]+\.md)$", plan, re.MULTILINE))


@pytest.mark.deploy
def test_the_site_is_built_strictly_and_asks_no_server(tmp_path: Path) -> None:
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(ROOT / "deploy" / "site" / "mkdocs.yml")]
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "For Research Use Only" in text
        # Whatever is loaded with a page, links to follow left aside.
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\ssrc="?([^"\s>]+)', text)
        loaded += re.findall(r'<link[^>]*rel="?(?:stylesheet|icon|preload|preconnect)"?[^>]*href="?([^"\s>]+)', text)
        assert not [one for one in loaded if re.match(r"(https?:)?//", one)], page.name
    assert (tmp_path / "search" / "search_index.js").is_file()
