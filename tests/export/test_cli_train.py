"""``edge-all train`` and what follows it, as the guide says, on a small set and with a tiny backbone."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import cv2
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_all.errors import InputNotFoundError, OutputError, UsageError
from edge_all_export.cli import train as train_command
from edge_all_export.training.configuration import TrainingConfig

pytestmark = [
    pytest.mark.training,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("tiny_backbone", "eager"),
]

run = CliRunner()
BRIEF = ("--weights", "none", "--input-size", "75", "--head-epochs", "1", "--epochs", "1", "--samples-per-epoch", "8")


@pytest.fixture
def smears(tmp_path: Path) -> Path:
    """Eight patients with two images of each class, no two alike, and one image that is none."""
    generator = np.random.default_rng(0)
    for patient in range(8):
        for label, name in enumerate(("non-ALL", "ALL")):
            folder = tmp_path / "smears" / name / f"patient-{patient}"
            folder.mkdir(parents=True)
            for number in range(2):
                coarse = generator.integers(120, 255, (6, 6, 3), np.uint8)
                ground = cv2.resize(coarse, (120, 120), interpolation=cv2.INTER_CUBIC)
                cv2.imwrite(
                    str(folder / f"{number}.png"), cv2.circle(ground, (60, 60), 15 + 15 * label, (110, 40, 80), -1)
                )
    (tmp_path / "smears" / "ALL" / "patient-3" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no")
    return tmp_path / "smears"


def test_a_small_set_is_trained_on_and_evaluated(app: typer.Typer, smears: Path, tmp_path: Path) -> None:
    data = ["--data", str(smears), "--layout", "folders"]
    out = tmp_path / "run"
    trained = run.invoke(app, ["train", *data, "-o", str(out), "--folds", "4", "--batch-size", "4", *BRIEF])
    assert trained.exit_code == 0, trained.output
    for words in (
        "32 cells, 1 images left out.",
        "broken.png",
        "24 cells (12 ALL) of 6 blocks are trained on; 8 cells (4 ALL) of 2 blocks are held out.",
        "Leak report: nothing is shared.",
        "epoch   2",
        "The run keeps the",
        "held-out loss",
    ):
        assert words in trained.output
    with (out / "predictions.csv").open() as file:
        held_out = {row["group"] for row in csv.DictReader(file)}
    assert len(held_out) == 2

    judged = run.invoke(app, ["evaluate", "model", str(out), *data, "-o", str(tmp_path / "evaluation")])
    assert judged.exit_code == 1, judged.output  # one image could not be read
    assert "24 cell(s) of blocks that the model was trained on are left out." in " ".join(judged.output.split())
    assert (tmp_path / "evaluation" / "report.html").is_file()
    assert (tmp_path / "evaluation" / "plots" / "learning_curves.png").is_file()

    again = run.invoke(app, ["train", *data, "-o", str(out), *BRIEF])
    assert isinstance(again.exception, OutputError)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        (["--weights", "gone.h5"], InputNotFoundError, "gone.h5"),
        (["--folds", "9"], UsageError, "9 folds"),
        (["--cross-validate", "--all-data"], UsageError, "exclude"),
        (["--layout", "odd"], UsageError, "odd"),
        (["--layout", "reference"], InputNotFoundError, "allidb1"),
        (["--precision", "int4"], UsageError, "precision"),
    ],
)
def test_mistakes_end_in_an_error_that_says_what_to_do(
    app: typer.Typer, smears: Path, tmp_path: Path, options: list[str], error: type[Exception], words: str
) -> None:
    given = ["train", "--data", str(smears), "--layout", "folders", "-o", str(tmp_path / "run"), *BRIEF, *options]
    result = run.invoke(app, given)
    assert isinstance(result.exception, error), result.output
    assert words in str(result.exception)


def test_the_help_names_the_defaults_that_hold() -> None:
    defaults = dataclasses.asdict(TrainingConfig())
    shown = {
        name: hint.__metadata__[0].show_default
        for name, hint in get_type_hints(
            train_command.recipe_of, localns={"TrainingConfig": TrainingConfig}, include_extras=True
        ).items()
        if name != "return" and isinstance(hint.__metadata__[0].show_default, str)
    }
    assert {"input_size", "factor", "epochs", "learning_rate"} <= shown.keys()
    assert shown == {name: str(defaults[name]) for name in shown}


@pytest.mark.parametrize("oneself", ["", "raise ImportError('broken')"])
def test_loading_keras_says_nothing_unless_it_fails(oneself: str) -> None:
    """In a process of its own, since TensorFlow speaks on being loaded, and past Python."""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    code = (
        "import os\n"
        "from edge_all_export.cli.backend import quiet_backend\n"
        "with quiet_backend():\n"
        "    os.write(2, b'from below')\n"
        "    import tensorflow\n"
        f"    {oneself}\n"
        "tensorflow.ones(2) + 1\n"
        "os.write(2, b'afterwards')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    if oneself:
        assert "from below" in done.stderr
        assert "broken" in done.stderr
    else:
        assert done.stderr == "afterwards"


def test_who_sets_tensorflows_log_level_sees_what_it_says() -> None:
    code = (
        "import os\n"
        "from edge_all_export.cli.backend import quiet_backend\n"
        "with quiet_backend():\n"
        "    os.write(2, b'from below ' + os.environ['TF_CPP_MIN_LOG_LEVEL'].encode())"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == "from below 0"


TRAINS_WITH_A_TINY_NETWORK = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("tiny", sys.argv.pop(1))
tiny = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tiny)
import edge_all, keras
keras.applications.InceptionV3 = tiny.tiny_inception
from edge_all.cli.main import main
main()
"""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("strace") is None, reason="traces by strace")
def test_training_connects_to_nothing_and_leaves_what_is_documented(smears: Path, tmp_path: Path) -> None:
    home, trace = tmp_path / "home", tmp_path / "trace.txt"
    home.mkdir()
    arguments = ["train", "--data", str(smears), "--layout", "folders", "-o", str(tmp_path / "run"), *BRIEF]
    tracer = ["strace", "-f", "-qq", "-e", "trace=connect,sendto,sendmsg", "-o", str(trace)]
    tiny = str(Path(__file__).with_name("conftest.py"))
    done = subprocess.run(
        [*tracer, sys.executable, "-c", TRAINS_WITH_A_TINY_NETWORK, tiny, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [line for line in trace.read_text().splitlines() if "AF_INET" in line or "AF_NETLINK" in line] == []
    left = {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()}
    documented = (
        ".keras/keras.json",
        ".cache/matplotlib/fontlist-",
        ".cache/edge-all/timings.json",
        ".cache/edge-all/segmented/",
    )
    assert [path for path in left if not path.startswith(documented)] == []
