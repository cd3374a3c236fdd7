"""The server as a thread of a process: it begins to listen, or says why it cannot, and ends when it is told to."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from edge_all.errors import UsageError

__all__ = ["served"]

_END_SECONDS = 3
"""How long open connections may take to end."""


@contextmanager
def served(app: FastAPI, host: str, port: int) -> Iterator[str]:
    """Serve an application as long as the block lasts.

    Args:
        app: which.
        host: address to listen at.
        port: to listen at; 0: any that is free.

    Yields:
        The address to open in a browser.

    Raises:
        UsageError: nothing can listen there.
    """
    listening = _listen(host, port)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.ERROR,  # a request that is none is answered, and nothing for who started the station
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=_END_SECONDS,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="edge-all-server")
    thread.start()
    try:
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{listening.getsockname()[1]}/"
    finally:
        if server.started:
            app.state.feed.stop()  # streams never end by themselves
        server.should_exit = True
        thread.join()
        listening.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"Nothing can listen at {host}, port {port} ({error.strerror or error}).",
            "Is a station running already? Open its page, or choose another port.",
            settings=("port",),
        ) from error
