"""What is printed obeys nobody but us, and a terminal that fails costs no result."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_all.cli.terminal import harmless
from edge_all.rendering import SmearSpec, render_field

HOSTILE = "\x1b]0;owned\x07\x1b[2Jx\x9b31m\u202egpj.png"
MAIN = "from edge_all.cli.main import main; main()"


@given(st.text())
def test_without_a_terminal_no_control_character_passes(text: str) -> None:
    for terminal in (False, True):
        shown = harmless(text + HOSTILE, terminal=terminal)
        assert not {"\x07", "\x9b", "\u202e", "\x1b]"} & set(shown)
        assert "\x1b]" not in shown
    assert "\x1b" not in harmless(text, terminal=False)


def test_what_it_writes_out_json_reads_back() -> None:
    text = json.dumps({"name": HOSTILE}, ensure_ascii=False)
    assert json.loads(harmless(text, terminal=False)) == {"name": HOSTILE}


def test_colours_and_progress_bars_pass_to_a_terminal_alone() -> None:
    coloured = "\x1b[1;31mred\x1b[0m\r\x1b[2K\x1b[?25l"
    assert harmless(coloured, terminal=True) == coloured
    assert "\x1b" not in harmless(coloured, terminal=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_hostile_names_reach_no_stream_raw(tmp_path: Path) -> None:
    image = tmp_path / f"slide{HOSTILE}" / f"field{HOSTILE}"
    image.parent.mkdir()
    image.write_bytes(b"no image")
    for arguments in (["screen", str(image), "-o", str(tmp_path / "out")], ["segment", f"--{HOSTILE}"]):
        done = subprocess.run([sys.executable, "-c", MAIN, *arguments], capture_output=True, check=False)
        said = done.stdout + done.stderr
        assert b"\x1b" not in said
        assert b"\x07" not in said
        assert b"u001b" in said or arguments[0] == "segment"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_said_without_a_traceback() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert "standard output cannot be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_that_are_closed_are_no_error(closed: str, tmp_path: Path) -> None:
    images = tmp_path / "slide"
    images.mkdir()
    field = render_field(1, width=320, height=320, spec=SmearSpec(blasts=1)).pixels
    cv2.imwrite(str(images / "field.png"), field[..., ::-1])
    command = shlex.join([sys.executable, "-c", MAIN, "segment", str(images), "-o", str(tmp_path / "out")])
    done = subprocess.run(["/bin/sh", "-c", f"{command} {closed}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    # Nothing of what is printed went into a file that got the number of a closed stream.
    (line,) = (tmp_path / "out" / "fields.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == "ok"


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_a_terminal_gets_colours_and_no_sequence_out_of_a_name(tmp_path: Path) -> None:
    """Also none of those that Rich uses itself: they move the cursor over other lines, or hide text."""
    import pty

    images = tmp_path / "slide"
    images.mkdir()
    field = render_field(1, width=320, height=320, spec=SmearSpec(blasts=1)).pixels
    hostile = "\x1b[1A\x1b[2K\x1b[8m"
    cv2.imwrite(str(images / "good.png"), field[..., ::-1])
    (images / "good.png").rename(images / f"{hostile}good.png")
    (images / f"{hostile}bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    said = []
    for names in ([str(images)], [str(images / f"{hostile}none.png")]):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "segment", *names, "-o", str(tmp_path / f"out{len(names[0])}")],
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
        )
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
        process.wait()
        said.append(text)
    assert b"\x1b[31m" in said[1], "errors are coloured"
    assert b"u001b[0m" not in said[1], "what resets the colour is ours"
    for text in said:
        assert b"u001b[8m" in text.replace(b"\r\n", b"")
        assert b"\x1b[8m" not in text
        assert b"\x1b[1A" not in text


def test_a_closed_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="homes of Linux")
@pytest.mark.parametrize("home", ["missing", "unknown"])
def test_a_user_without_a_home_is_no_traceback(tmp_path: Path, home: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HOME", "XDG_", "EDGE_"))}
    prefix = ""
    if home == "missing":
        environment["HOME"] = str(tmp_path / "nowhere")
    else:  # a number without a name, as in a container
        prefix = "from pathlib import Path\ndef none(): raise RuntimeError('no home')\nPath.home = none\n"
    for arguments in (["model", "list"], ["model", "show"]):
        done = subprocess.run(
            [sys.executable, "-c", prefix + MAIN, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
