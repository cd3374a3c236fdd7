"""How a verb loads Keras without TensorFlow's pages on the user's screen."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_backend"]

STDERR = 2
LEVEL = "TF_CPP_MIN_LOG_LEVEL"
USERS_LEVEL = os.environ.get(LEVEL)
"""What the user asked of TensorFlow's log; whoever asks for it sees all of it."""


@contextmanager
def quiet_backend() -> Iterator[None]:
    """Keep what TensorFlow says of the processor from the screen while Keras is imported inside.

    TensorFlow obeys TF_CPP_MIN_LOG_LEVEL but for what it says on being loaded, before its log is set up: that goes to
    the process's standard error whatever is asked. So the file descriptor itself is turned away for as long. If the
    import fails, all that was said is shown; so it is where the user has set that variable.
    """
    if USERS_LEVEL is not None:
        yield
        return
    os.environ[LEVEL] = "3"
    sys.stderr.flush()
    screen = os.dup(STDERR)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), STDERR)
        try:
            yield
        except BaseException:
            _restore(screen)
            said.seek(0)
            os.write(STDERR, said.read())
            raise
        _restore(screen)


def _restore(screen: int) -> None:
    sys.stderr.flush()
    os.dup2(screen, STDERR)
    os.close(screen)
