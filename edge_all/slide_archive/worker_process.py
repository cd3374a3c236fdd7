"""The process behind `edge_all.slide_archive.worker_crew`: ``python -m edge_all.slide_archive.worker_process``.

Reads JSON Lines from standard input, first the settings, then slides, and answers each with a line. It ends when its
input does, which is also when the process that started it dies.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from edge_all.errors import EdgeAllError
from edge_all.slide_archive.manifest import ArchiveSlide
from edge_all.slide_archive.worker import Settings, SlideWorker
from edge_all.slide_archive.worker_crew import error_record


def _main() -> None:
    # Ctrl-C reaches all processes of a terminal; the one that started this one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Whatever a library prints must not come between the answers.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

        def answer(record: object) -> None:
            answers.write(json.dumps(record) + "\n")
            answers.flush()

        try:
            worker = SlideWorker(Settings(**json.loads(sys.stdin.readline())))
        except EdgeAllError as error:
            answer({"refused": error_record(error)})
            return
        answer({"ready": True})
        for line in sys.stdin:
            answer(worker.judge(ArchiveSlide.from_json(json.loads(line))).to_json())


if __name__ == "__main__":
    _main()
