"""Takes the pages at the root of the source into the site, and takes out what would ask a server.

README.md is the site's start, and links among the pages lead on.
"""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "MODEL_CARD.md": "model-card.md",
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}


def on_files(files: Files, /, *, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=_with_links_of_the_site(text)))
    return files


def on_page_markdown(markdown: str, /, *, page: Any, **_: Any) -> str:  # noqa: ANN401 - of mkdocs
    """Let links that lead out of the documentation's folder lead to the pages that were taken in."""
    depth = len(PurePosixPath(page.file.src_uri).parts) - 1
    up = "../" * (depth + 1)
    for source, name in PAGES.items():
        markdown = markdown.replace(f"]({up}{source}", f"]({'../' * depth}{name}")
    return markdown


def on_post_page(output: str, /, **_: Any) -> str:  # noqa: ANN401 - of mkdocs
    """Let a page ask no server."""
    return _asking_no_server(output)


def on_post_template(output: str, /, **_: Any) -> str:  # noqa: ANN401 - of mkdocs
    """Let the page for what is not found ask no server."""
    return _asking_no_server(output)


def _asking_no_server(page: str) -> str:
    """Our own few lines in the place of the one script that the theme would fetch from a server."""
    own = Path(__file__).with_name("search_without_a_server.js").read_text(encoding="utf-8")
    return re.sub(r'<script src="?https?://[^">\s]+"?></script>', lambda _: f"<script>{own}</script>", page)


def _with_links_of_the_site(text: str) -> str:
    text = re.sub(r"\]\(docs/", "](", text)
    for source, page in PAGES.items():
        text = text.replace(f"]({source}", f"]({page}")
    # Files of the source are named, not linked: the site is read without it.
    return re.sub(r"\[([^\]]+)\]\(((?:edge_all|tests|deploy)/[^)]+)\)", r"\1 (`\2`)", text)
