"""The first look of the guide for ML engineers as it stands there, with a tiny backbone in the place of InceptionV3."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from edge_all.cli import demo

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("tiny_backbone", "eager"),
]

PAGE = Path(__file__).parents[2] / "docs" / "ml-engineer.md"
MINUTES = 5


def test_train_evaluate_export_and_screen(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text(encoding="utf-8")
    snippet, commands = re.findall(r"<!-- first-look -->\n```\w*\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    demo.register(app)
    started = time.monotonic()
    exec(compile(snippet, PAGE.name, "exec"), {})  # noqa: S102 - the page's own code
    said = {}
    for line in commands.splitlines():
        words = shlex.split(line)[1:]
        # The tiny backbone has no ImageNet weights, and needs more steps, which take it no time.
        if words[0] == "train":
            words += ["--weights", "none", "--epochs", "25", "--learning-rate", "0.01"]
        done = CliRunner().invoke(app, words)
        # The demo's blurred field is not judged; that is no failure of the demo.
        assert done.exit_code == 0, done.output
        said[words[0]] = done.output
    assert time.monotonic() - started < 60 * MINUTES
    assert "class_indices: {'non-ALL': 0, 'ALL': 1}" in said["train"]
    assert "Reading and segmenting images: 64 of 64" in said["train"]
    assert cv2.imread("runs/look/summary.png") is not None
    assert "Confusion matrix at 0.5" in said["evaluate"]
    assert re.search(r"precision +recall +f1-score +support", said["evaluate"])
    assert Path("looked-at/report.html").is_file()
    assert Path("packages/look/card.json").is_file()
    assert "look 1.0.0" in Path("demo-by-look/report.html").read_text(encoding="utf-8")
