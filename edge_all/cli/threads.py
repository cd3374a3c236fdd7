"""How many threads NumPy's linear algebra may start, settled before NumPy is loaded."""

from __future__ import annotations

import os

__all__ = ["no_threads_of_blas"]


def no_threads_of_blas() -> None:
    """Keep OpenBLAS, which comes with NumPy, from starting threads; a number that the user has set stays.

    Our matrices have three columns and gain nothing from them, and its threads spin for a while before they sleep: at
    the start of a run they took 0.1 s of a core that imports, OpenCV and the network wait for.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
