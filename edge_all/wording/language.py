"""The language of what people read: translated words, and numbers and dates as its readers write them.

Files for programs never pass through here: results hold English sentences and decimal points, whoever reads them. What
a report or a page shows is translated when it is written, also sentences that stand in results (`Language.sentence`).
Catalogues are those of GNU gettext: ``languages/CODE/LC_MESSAGES/edge_all.po``, and the ``.mo`` made of it.
"""

from __future__ import annotations

import gettext
import locale
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

__all__ = ["LANGUAGE_SETTING", "Language", "known_languages", "language_of_environment"]

LANGUAGE_SETTING = "EDGE_ALL_LANGUAGE"
"""Environment variable with the code of the language, before what the system says."""
_DOMAIN = "edge_all"
_RESULT = "result\x04"
"""How a catalogue's key begins whose context is ``result``: a sentence of a result, with names for what varies."""
_NAMED = ("what", "image")
"""Places of sentences whose values are words too: what somebody decided, and how an image without a name is called."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+\+00:00")
"""As events have it."""
_FIELD = re.compile(r"field (\d+)")
"""As a station calls its images."""
_PLACE = re.compile(r"\\\{(\w+)\\\}")


class Language:
    """Words, numbers and dates in one language; ``say("Called ALL")`` translates.

    Args:
        code: for example ``de``; English where there is no such catalogue.
    """

    def __init__(self, code: str) -> None:
        catalogue = files("edge_all.wording") / "languages" / code / "LC_MESSAGES" / f"{_DOMAIN}.mo"
        self._catalogue = gettext.NullTranslations()
        self.code = "en"
        if code.isalnum() and catalogue.is_file():
            with catalogue.open("rb") as file:
                self._catalogue = gettext.GNUTranslations(file)
            self.code = code

    def __call__(self, message: str, **values: object) -> str:
        """A message in this language.

        Args:
            message: in English, with ``{name}`` for what varies.
            **values: what is put there, as it is.
        """
        translated = self._catalogue.gettext(message)
        return translated.format(**values) if values else translated

    def counted(self, one: str, several: str, number: int, **values: object) -> str:
        """A message that depends on a number, ``{n}``.

        Args:
            one: in English, where the number is 1.
            several: in English, otherwise.
            number: the number.
            **values: what else is put there.
        """
        return self._catalogue.ngettext(one, several, number).format(n=number, **values)

    def messages(self) -> dict[str, str | list[str]]:
        """All messages of this language that are no sentences of results, by their English; empty in English.

        Where one depends on a number, all its forms, by the English of one.
        """
        several: dict[str, dict[int, str]] = {}
        found: dict[str, str | list[str]] = {}
        for key, text in self._translations.items():
            if isinstance(key, tuple):
                several.setdefault(key[0], {})[key[1]] = text
            elif key and not key.startswith(_RESULT):
                found[key] = text
        return found | {key: [forms[number] for number in sorted(forms)] for key, forms in several.items()}

    def figure(self, written: str) -> str:
        """A number that was written with a decimal point, with this language's sign."""
        mark = self("decimal point")
        return written if mark == "decimal point" else re.sub(r"(?<=\d)\.(?=\d)", mark, written)

    def percent(self, fraction: float, digits: int = 1) -> str:
        """A fraction: ``59.8 %``."""
        return self.figure(f"{100 * fraction:.{digits}f} %")

    def percent_range(self, low: float, high: float) -> str:
        """The bounds of an interval: ``50.1 to 68.9 %``."""
        return self("{low} to {high}", low=self.figure(f"{100 * low:.1f}"), high=self.percent(high))

    def day(self, moment: datetime) -> str:
        """A date."""
        return moment.strftime(self("%Y-%m-%d"))

    def minute(self, moment: datetime) -> str:
        """A date and a time."""
        return moment.strftime(self("%Y-%m-%d %H:%M"))

    def sentence(self, english: str) -> str:
        """A sentence of a result, which is English, in this language; as it is where the catalogue does not know it."""
        for pattern, translated in self._sentences:
            found = pattern.fullmatch(english)
            if found is not None:
                values = found.groupdict()
                return translated.format(**{name: self._inserted(name, value) for name, value in values.items()})
        return english

    def sentences(self, english: str) -> str:
        """Several sentences in a row, each translated by itself where they are not known as one."""
        whole = self.sentence(english)
        if whole != english:
            return whole
        return " ".join(self.sentence(part) for part in re.split(r"(?<=[.:]) (?=[A-Z])", english))

    def named(self, english: str) -> str:
        """What a sentence of a result calls something: by a word of the page, or by words of results."""
        known = self.sentence(english)
        return self(english) if known == english and english else known

    def _inserted(self, name: str, value: str) -> str:
        """What stands in a sentence of a result: figures, ranges, moments, names."""
        if name in _NAMED:
            return self.named(value)
        if _MOMENT.fullmatch(value):
            return f"{self.minute(datetime.fromisoformat(value))} UTC"
        of_station = _FIELD.fullmatch(value)
        if of_station:
            return self("field {field}", field=of_station[1])
        between = re.fullmatch(r"([\d.]+) to ([\d.]+ %)", value)
        if between:
            return self("{low} to {high}", low=self.figure(between[1]), high=self.figure(between[2]))
        return self.figure(value) if re.fullmatch(r"[\d.]+( %)?", value) else value

    @property
    def _translations(self) -> Mapping[Any, str]:
        return getattr(self._catalogue, "_catalog", {})

    @cached_property
    def _sentences(self) -> list[tuple[re.Pattern[str], str]]:
        messages = self._translations
        known = [key.removeprefix(_RESULT) for key in messages if isinstance(key, str) and key.startswith(_RESULT)]
        # The most particular first: what has most words of its own.
        known.sort(key=lambda message: -len(re.sub(r"\{\w+\}", "", message)))
        return [(re.compile(_PLACE.sub(r"(?P<\1>.+?)", re.escape(one))), messages[_RESULT + one]) for one in known]


@cache
def known_languages() -> Mapping[str, Language]:
    """The languages that there are, by their codes."""
    folder = files("edge_all.wording") / "languages"
    codes = [entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name.isalnum()]
    return {code: Language(code) for code in ("en", *sorted(codes))}


@cache
def language_of_environment() -> Language:
    """The language that was asked for (`LANGUAGE_SETTING`), else that of the system; English where neither is known."""
    asked = os.environ.get(LANGUAGE_SETTING)
    names = [asked] if asked else [os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    name = next((name for name in names if name), None)
    if name is None and sys.platform == "win32":  # pragma: no cover - only there
        import ctypes

        name = locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage())
    return Language(re.split(r"[_.@-]", name or "en")[0].lower())
