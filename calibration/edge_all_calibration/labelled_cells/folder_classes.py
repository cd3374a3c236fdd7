"""Which of a laboratory's folders holds which class."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from edge_all.errors import UsageError

__all__ = ["CLASS_NAMES", "find_class_folders"]

CLASS_NAMES: dict[str, bool] = {
    **dict.fromkeys(("all", "blast", "blasts", "leukemia", "leukaemia", "leukemie", "leukamie", "positive"), True),
    **dict.fromkeys(("non-all", "nonall", "hem", "normal", "healthy", "gesund", "benign", "negative"), False),
}
"""By the name as `_plain` writes it: whether it is ALL."""
SHOWN = 12
"""Folders that a message lists at most."""


def find_class_folders(folder: Path) -> dict[Path, bool]:
    """The folders of the two classes, right in a folder or together in one folder inside it.

    Names are known in any case, with blanks or lines between their words, and with or without ``cells`` behind:
    ``ALL cells``, ``non_ALL``, ``HEM``.

    Args:
        folder: that exists.

    Returns:
        Whether each class folder is ALL, in the order of their paths; both classes are there.

    Raises:
        UsageError: a class is missing, or there is more than one folder with both.
    """
    inside = sorted(path for path in folder.iterdir() if path.is_dir())
    here = _classes(inside)
    if _complete(here):
        return here
    deeper = {path: sorted(one for one in path.iterdir() if one.is_dir()) for path in inside}
    held = [path for path, folders in deeper.items() if _complete(_classes(folders))]
    if len(held) == 1 and not here:
        return _classes(deeper[held[0]])
    if len(held) > 1:
        raise UsageError(
            f"{folder} holds both classes more than once: in {', '.join(path.name for path in held)}.",
            f"Name one of these folders, such as {held[0]}.",
        )
    raise UsageError(
        f"{folder} needs one folder for each class and holds {_listed(folder, inside, deeper)}.",
        "Name them ALL and non-ALL, right in this folder or both in one folder of it. Known too, in any case and with "
        f"'cells' behind: {', '.join(name for name in CLASS_NAMES if name not in ('all', 'non-all'))}.",
    )


def _classes(folders: list[Path]) -> dict[Path, bool]:
    return {path: CLASS_NAMES[_plain(path.name)] for path in folders if _plain(path.name) in CLASS_NAMES}


def _complete(classes: dict[Path, bool]) -> bool:
    return set(classes.values()) == {True, False}


def _plain(name: str) -> str:
    """A name without case, accents, what stands between its words, and the word cells."""
    letters = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    words = [word for word in re.split(r"[\s_-]+", letters.lower()) if word]
    return "-".join(words[:-1] if len(words) > 1 and words[-1] in ("cell", "cells") else words)


def _listed(folder: Path, inside: list[Path], deeper: dict[Path, list[Path]]) -> str:
    """What is there instead, and what each known name was taken for; of folders inside folders only known ones."""
    here = _classes(inside)
    found: dict[Path, bool | None] = {}
    for path in inside:
        if path not in here:
            found.update(_classes(deeper[path]))
        if not any(path in (one, one.parent) for one in found):
            found[path] = here.get(path)
    if not found:
        return "no folder"
    words = [
        path.relative_to(folder).as_posix()
        + ("" if is_all is None else f" (taken for {'ALL' if is_all else 'non-ALL'})")
        for path, is_all in found.items()
    ]
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return f"the folder{'s' if len(words) > 1 else ''} {', '.join(words[:SHOWN])}{more}"
