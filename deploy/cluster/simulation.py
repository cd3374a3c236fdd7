"""How long an archive takes when slides differ, workers die and storage has a limit.

Run ``python3 deploy/cluster/simulation.py``.
A queue of slides, workers that take the next one, and deaths at random moments, which cost the slide under way and a
restart. It backs the figures in ``docs/archive.md``; change the measured values at the top for another machine.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass

FIELD_SECONDS = 0.2
"""Of one core for a field of 2 to 5 megapixels: 20 fields in 2.1 s on two cores (docs/speed.md)."""
FIELDS_A_SLIDE = 20
SPREAD = 0.6
"""Standard deviation of the logarithm of a slide's time: one slide in a hundred takes four times the median."""
RESTART_SECONDS = 5.0
FIELD_MEGABYTES = 1.0
STORE_MEGABYTES_A_SECOND = 1000.0
"""Of the object store or network file system, all workers together."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        hours: from start to end.
        waiting: share of the time in which some worker had nothing to do any more.
        lost: share of the work that was done twice.
        deaths: number of workers that died.
    """

    hours: float
    waiting: float
    lost: float
    deaths: int


def simulate(slides: int, cores: int, hours_between_deaths: float, seed: int) -> Outcome:
    """Run an archive.

    Args:
        slides: number of slides.
        cores: one a worker.
        hours_between_deaths: mean time until a worker dies.
        seed: of chance.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    # Storage that is too slow for all holds each of them up alike.
    wanted = cores * FIELD_MEGABYTES / FIELD_SECONDS
    slower = max(1.0, wanted / STORE_MEGABYTES_A_SECOND)
    median = FIELDS_A_SLIDE * FIELD_SECONDS * slower / math.exp(SPREAD**2 / 2)
    free = [0.0] * cores
    work = lost = 0.0
    deaths = 0
    for _ in range(slides):
        now = heapq.heappop(free)
        seconds = median * math.exp(chance.gauss(0.0, SPREAD))
        work += seconds
        while (until := chance.expovariate(1 / (hours_between_deaths * 3600))) < seconds:
            deaths += 1
            lost += until
            now += until + RESTART_SECONDS
        heapq.heappush(free, now + seconds)
    end = max(free)
    return Outcome(end / 3600, (end - min(free)) / end, lost / work, deaths)


def main() -> None:
    """Print the table."""
    print("| fields | cores | a worker dies every | hours | waiting at the end | work done twice | deaths |")
    print("|---|---|---|---|---|---|---|")
    for fields, cores in ((10**5, 2), (10**5, 16), (10**5, 100), (10**6, 100), (10**7, 100), (10**7, 1000)):
        for between in (1000.0, 1.0):
            run = simulate(fields // FIELDS_A_SLIDE, cores, between, seed=1)
            hours = f"{run.hours:.2f}" if run.hours < 10 else f"{run.hours:.0f}"
            print(
                f"| {fields:,} | {cores:,} | {between:g} h | {hours} | {100 * run.waiting:.1f} % "
                f"| {100 * run.lost:.2f} % | {run.deaths:,} |"
            )


if __name__ == "__main__":
    main()
