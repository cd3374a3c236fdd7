"""Slides over a Ray cluster, by Ray Data: a row is a slide, an actor holds a worker, what comes back are a few numbers.

Nothing large passes through Ray: addresses go out, results go straight into the output. An actor or a node that dies
costs the slides that it had under way, which Ray hands to others.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import socket
from collections.abc import Generator, Sequence
from typing import Any

from edge_all.errors import EdgeAllError, MissingPackageError, RuntimeSetupError
from edge_all.slide_archive.manifest import ArchiveSlide
from edge_all.slide_archive.worker import ENVIRONMENT, Outcome, Settings, SlideWorker
from edge_all.slide_archive.worker_crew import error_record, raise_recorded
from edge_all.wording.extras import install_words

__all__ = ["judged_by_ray"]

MOST_BLOCKS = 5000
"""Into so many pieces the manifest is cut at most: Ray keeps a few kB of each, and a piece is what a death costs."""
THREADS = 2
"""Of an actor, where none are given: on a node of many cores several actors keep them busier than one."""
_OBJECT_STORE = 200_000_000
"""Bytes of shared memory for a Ray of our own; hardly any is used."""
_SECONDS_TO_ANSWER = 10
_GPU_DEVICES = ("cuda", "tensorrt")


class _Actor:
    """A `SlideWorker` that opens its model with its first slide, so that what is wrong with it is an answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worker: SlideWorker | None = None

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            if self._worker is None:
                self._worker = SlideWorker(self._settings)
        except EdgeAllError as error:
            return {"answer": json.dumps({"refused": error_record(error)})}
        return {"answer": json.dumps(self._worker.judge(ArchiveSlide.from_json(json.loads(row["slide"]))).to_json())}


def judged_by_ray(
    slides: Sequence[ArchiveSlide], settings: Settings, workers: int, address: str
) -> Generator[Outcome, None, None]:
    """Judge slides.

    Args:
        slides: to be judged.
        settings: of the workers. A device that is a GPU by name takes one GPU of the cluster for each worker.
        workers: number of actors.
        address: of the cluster, as Ray takes it; ``local`` for one on this machine, for this run.

    Yields:
        What became of each slide, in no order.

    Raises:
        MissingPackageError: Ray is not installed.
        RuntimeSetupError: the cluster cannot be reached, or gave up.
        EdgeAllError: a worker could not begin.
    """
    # Of its own accord Ray reports usage to its makers, from the node that starts it.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingPackageError(
            f"Ray is not installed ({error}).", f"Install edge-all with its extra, {install_words('cluster')}."
        ) from error
    settings = dataclasses.replace(settings, threads=settings.threads or THREADS)
    try:
        _connect(address, workers * (settings.threads or THREADS))
        yield from _answers(slides, settings, workers)
    except EdgeAllError:
        raise
    except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
        raise RuntimeSetupError(
            f"Ray gave up: {str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__}.",
            "What was judged is kept; look at the cluster, and run again.",
        ) from error
    finally:
        ray.shutdown()


def _connect(address: str, cores: int) -> None:
    """Connect to a cluster, or begin one.

    Raises:
        ConnectionError: nobody answers there, which Ray itself would try for minutes.
    """
    import ray

    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host, int(port)), timeout=_SECONDS_TO_ANSWER).close()
        except OSError as error:
            raise ConnectionError(f"nobody answers at {address} ({error.strerror or error})") from error
    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "runtime_env": {"env_vars": {name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()}},
    }
    if address == "local":
        options |= {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    ray.init(address=address, **options)


def _answers(slides: Sequence[ArchiveSlide], settings: Settings, workers: int) -> Generator[Outcome, None, None]:
    import ray.data

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = 0  # more would leave slides out without a word
    rows = [{"slide": json.dumps(slide.to_json())} for slide in slides]
    # An actor that dies is started again, as often as it takes: that is Ray Data's own way, and dying is nothing
    # unusual. A slide that kills its actors is given up by the worker itself.
    answers = ray.data.from_items(rows, override_num_blocks=min(len(rows), MOST_BLOCKS)).map(
        _Actor,
        fn_constructor_args=(settings,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=settings.threads,
        num_gpus=1 if settings.device in _GPU_DEVICES else 0,
    )
    for row in answers.iter_rows():
        answer = json.loads(row["answer"])
        if "refused" in answer:
            raise_recorded(answer["refused"])
        yield Outcome(**answer)
