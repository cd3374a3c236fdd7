"""What all verbs have alike: help that is never cut, ``-h``, ``-V``, a quick start, and paths that are never broken.

Typer draws boxes in which narrow terminals cut the names of options, and shows the Python types of values. Here the
help of any verb, a plug-in's too, is plain text: it folds at any width, and a pipe gets what the terminal shows.
"""

from __future__ import annotations

import copy
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

__all__ = ["polite"]

# Typer keeps its copy of click to itself: what is used of it here are the methods that commands have had for years.
_Command = Any
_Context = Any
_Formatter = Any
_Parameter = Any

_WORDS = {int: "NUMBER", float: "NUMBER", Path: "PATH"}
"""What a value is called where its verb does not say; all else is TEXT."""
_PLAIN_NUMBER = {int: re.compile(r"[0-9]{1,9}"), float: re.compile(r"[0-9]{1,9}(\.[0-9]{1,17})?")}
"""Numbers that are written so that nobody reads them in two ways."""
_NARROWEST = 40
"""Columns below which text is rather broken by the terminal."""
_NAMES_WIDTH = 26
"""Columns of the longest names beside which their explanation begins; longer ones stand on a line of their own."""


def polite(command: _Command) -> _Command:
    """The command and its verbs with the manners of this module.

    Args:
        command: from ``typer.main.get_command``; is changed.
    """
    version = next(param for param in command.params if "--version" in param.opts)
    for one in _with_verbs(command):
        one.rich_markup_mode = None
        one.context_settings = {"help_option_names": ["-h", "--help"], **one.context_settings}
        one.format_help = functools.partial(_format_help, one)
        one.format_usage = functools.partial(_format_usage, one)
        one.get_help_option = functools.partial(_help_option, one.get_help_option)
        for param in one.params:
            _take_unchanged(param)
        if one is not command and one.add_help_option:
            own = copy.copy(version)
            own.expose_value = False
            # A verb may have a value called `version` of its own, as `export` has for that of a model.
            own.name = "version_of_edge_all"
            one.params.append(own)
    return command


def _help_option(usual: Callable[[_Context], _Parameter | None], context: _Context) -> _Parameter | None:
    """The option --help, which is none of its command's parameters: it is made when it is first asked for."""
    option = usual(context)
    if option is not None:
        _take_unchanged(option)
    return option


def _take_unchanged(param: _Parameter) -> None:
    param.get_runtime_param = functools.partial(_Unchanged, functools.partial(type(param).get_runtime_param, param))


class _Unchanged:
    """Takes what was typed as it is, where it is what the verb wants; all else goes Typer's own way.

    That leads through Pydantic, also for a text that is wanted as a text, and for --help where nobody asks for it:
    0.08 s of each start, for nothing.

    Args:
        usual: Typer's own way.
    """

    def __init__(self, usual: Callable[[], Any]) -> None:
        self._usual = usual

    def coerce(self, value: Any, param: _Parameter, ctx: _Context) -> Any:  # noqa: ANN401 - whatever a verb wants
        """The value for the verb."""
        wanted = param.type_descriptor.annotation
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if isinstance(wanted, type) and isinstance(value, wanted):
            return value
        if wanted == list[str] and isinstance(value, tuple | list) and all(isinstance(one, str) for one in value):
            return list(value)
        # Typer refuses paths that are there and cannot be read.
        if wanted is Path and isinstance(value, str) and (os.access(value, os.R_OK) or not Path(value).exists()):
            return Path(value)
        if wanted in (int, float) and isinstance(value, str) and _PLAIN_NUMBER[wanted].fullmatch(value):
            number = wanted(value)
            if _in_range(number, param.type_descriptor.parameter_info):
                return number
        return self._usual().coerce(value, param=param, ctx=ctx)


def _in_range(number: float, limits: Any) -> bool:  # noqa: ANN401 - what Typer knows of an option
    return (limits.min is None or number >= limits.min) and (limits.max is None or number <= limits.max)


def _with_verbs(command: _Command) -> Iterator[_Command]:
    yield command
    for verb in getattr(command, "commands", {}).values():
        yield from _with_verbs(verb)


def _format_usage(command: _Command, context: _Context, formatter: _Formatter) -> None:
    words = [_argument(param) for param in command.params if param.param_type_name == "argument"]
    if hasattr(command, "commands"):
        words.append("COMMAND ...")
    formatter.width = max(_NARROWEST, formatter.width)
    formatter.write_usage(context.command_path, " ".join(["[OPTIONS]", *words]))


def _format_help(command: _Command, context: _Context, formatter: _Formatter) -> None:
    _format_usage(command, context, formatter)
    if command.help:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(inspect.cleandoc(command.help))
    shown = [param for param in command.get_params(context) if not getattr(param, "hidden", False)]
    arguments = [param for param in shown if param.param_type_name == "argument"]
    options = [param for param in shown if param.param_type_name == "option"]
    _write_rows(formatter, "Arguments", [(_argument(param), _explained(param, context)) for param in arguments])
    _write_rows(formatter, "Options", [(_option(param), _explained(param, context)) for param in options])
    panels: dict[str, list[tuple[str, str]]] = {}
    for name, verb in getattr(command, "commands", {}).items():
        panel = verb.rich_help_panel if isinstance(getattr(verb, "rich_help_panel", None), str) else "Commands"
        # Whole, however long: `limit` is what would cut it.
        panels.setdefault(panel, []).append((name, verb.get_short_help_str(limit=1000)))
    for panel, rows in panels.items():
        _write_rows(formatter, panel, rows)


def _write_rows(formatter: _Formatter, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows, col_max=_NAMES_WIDTH)


def _argument(param: _Parameter) -> str:
    """``PATH...`` or ``[PATH]...``: as it is typed."""
    name = param.metavar or param.name.upper()
    if name.startswith("[") or param.metavar is not None:
        # The verb's own word says itself what may be left out, and what may be repeated.
        return str(name)
    return (name if param.required else f"[{name}]") + ("..." if param.nargs != 1 else "")


def _option(param: _Parameter) -> str:
    """``-o, --output PATH``."""
    names = ", ".join([*sorted(param.opts, key=len), *param.secondary_opts])
    return names if param.is_flag or param.count else f"{names} {_value_word(param)}"


def _value_word(param: _Parameter) -> str:
    if param.metavar:
        return str(param.metavar)
    annotation = param.type_descriptor.annotation
    inner = getattr(annotation, "__args__", (annotation,))[0]
    return _WORDS.get(inner, "TEXT")


def _explained(param: _Parameter, context: _Context) -> str:
    """The help of a parameter, with its default and limits as Typer words them."""
    record = param.get_help_record(context)
    if record is None:
        return ""
    words = re.sub(r"([\d.]+)<=x<=([\d.]+)", r"\1 to \2", str(record[1]))
    return re.sub(r"\bx>=([\d.]+)", r"at least \1", words)
