"""The ``edge-all`` command: its verbs, where they come from, and how it ends.

Verbs of the training side are plug-ins (entry-point group ``edge_all.commands``). Where their package is not
installed, the verb still exists and says what to install.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""Customary exit status after Ctrl-C."""

try:
    import contextlib
    from collections.abc import Callable, Mapping
    from importlib import import_module
    from types import ModuleType
    from typing import Annotated, NoReturn

    import typer

    from edge_all import __version__
    from edge_all.cli.manners import polite
    from edge_all.cli.options import OPTION_NAMES
    from edge_all.cli.terminal import end_of_output, guard_standard_streams
    from edge_all.errors import EdgeAllError, MissingPackageError
    from edge_all.results import INTENDED_USE
except KeyboardInterrupt:
    # These take most of the time until `main` is there to catch it: 0.1 s, and more where the disk is slow.
    sys.stderr.write("Interrupted.\n")
    sys.exit(INTERRUPTED)

__all__ = ["build_app", "main"]

VERBS: Mapping[str, Callable[[], ModuleType]] = {
    "screen": lambda: import_module("edge_all.cli.screen"),
    "segment": lambda: import_module("edge_all.cli.segment"),
    "classify": lambda: import_module("edge_all.cli.classify"),
    "archive": lambda: import_module("edge_all.cli.archive"),
    "demo": lambda: import_module("edge_all.cli.demo"),
    "model": lambda: import_module("edge_all.cli.model"),
    "doctor": lambda: import_module("edge_all.cli.doctor"),
    "benchmark": lambda: import_module("edge_all.cli.benchmark"),
    "dicom": lambda: import_module("edge_all.cli.dicom"),
    "station": lambda: import_module("edge_all.cli.station"),
    "watch": lambda: import_module("edge_all.cli.watch"),
    "capture": lambda: import_module("edge_all.cli.capture"),
    "serve": lambda: import_module("edge_all.cli.serve"),
    "store": lambda: import_module("edge_all.cli.store"),
    "account": lambda: import_module("edge_all.cli.account"),
    "audit": lambda: import_module("edge_all.cli.audit"),
}
"""The verbs of this distribution, in the order of ``--help``, each with its file: the one that was asked for is loaded.
All of them with their options take 70 ms of a start."""
PLUGIN_GROUP = "edge_all.commands"
PLUGIN_VERBS = {
    "train": "edge-all-export",
    "train-outlines": "edge-all-export",
    "evaluate": "edge-all-export",
    "export": "edge-all-export",
    "adapt": "edge-all-calibration",
    "calibrate": "edge-all-calibration",
    "gate": "edge-all-calibration",
    "wrap": "edge-all-calibration",
    "embed": "edge-all-calibration",
}
"""Verbs that live in another distribution, and which one."""


def build_app(verb: str | None = None) -> typer.Typer:
    """The command with the verbs of this package and of every installed plug-in.

    Args:
        verb: the only one that is wanted, where it is one of `VERBS`.
    """
    app = typer.Typer(
        name="edge-all",
        help=f"Find acute lymphoblastic leukaemia (ALL) cells in images of stained blood smears.\n\n{INTENDED_USE}",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    if verb is not None and verb in VERBS:
        VERBS[verb]().register(app)
        return app
    from importlib.metadata import entry_points  # 20 ms, for which the start of one verb need not wait

    for load in VERBS.values():
        load().register(app)
    for plugin in entry_points(group=PLUGIN_GROUP):
        # A damaged training side must not keep a station from screening: its verbs then say what to install.
        with contextlib.suppress(ImportError):
            plugin.load()(app)
    for verb_name in sorted(PLUGIN_VERBS.keys() - _verbs(app)):
        _register_missing(app, verb_name, PLUGIN_VERBS[verb_name])
    return app


def main() -> NoReturn:
    """Run the command; a user's mistake ends with one message and no traceback.

    Exit status: 0 all images judged, 1 some could not be, 2 wrong usage or nothing could run, 130 interrupted.
    """
    guard_standard_streams()
    try:
        # Where an option stands first, as --help does, it may be about all verbs.
        app = build_app(sys.argv[1] if len(sys.argv) > 1 else None)
        polite(typer.main.get_command(app))(prog_name="edge-all", standalone_mode=True)
        status = 0
    except EdgeAllError as error:
        _complain(error)
        status = 2
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        status = INTERRUPTED
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    sys.exit(end_of_output(status))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"edge-all {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """Nothing but the options that stand before a verb."""


def _verbs(app: typer.Typer) -> set[str]:
    commands = {str(command.name) for command in app.registered_commands}
    return commands | {str(group.name) for group in app.registered_groups}


def _register_missing(app: typer.Typer, verb: str, distribution: str) -> None:
    # With all that it needs of edge-all: what is missing, pip would look for on a package index.
    folders = "./calibration" if distribution == "edge-all-calibration" else "./export ./calibration"

    @app.command(
        verb,
        # One sentence: of a list of verbs click shows the first alone.
        help=f"Belongs to {distribution}, which is not installed: in edge-all's source folder, pip install {folders}",
        rich_help_panel="Training side",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
        add_help_option=False,
    )
    def missing() -> None:
        raise MissingPackageError(
            f"'edge-all {verb}' belongs to the package {distribution}, which is not installed or does not load.",
            f"In the source folder of edge-all, type: pip install {folders}",
        )


def _complain(error: EdgeAllError) -> None:
    # Rich is already loaded by Typer; its console would break long paths across lines, so plain text it is.
    typer.secho(f"Error: {error.problem}", fg=typer.colors.RED, err=True)
    options = ", ".join(OPTION_NAMES[name] for name in error.settings)
    typer.secho(f"{error.remedy} (Options: {options})" if options else error.remedy, err=True)
