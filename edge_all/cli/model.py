"""``edge-all model``: the model packages of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edge_all.cli.json_output import JsonOption, print_json

if TYPE_CHECKING:
    from edge_all.classification.verification import GoldenCheck, PackageCheck
    from edge_all.model.package import ModelPackage
    from edge_all.model.store import StoredPackage

__all__ = ["register"]

_PackageArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[MODEL]",
        help="Installed model's name (name or name@version), or a package folder; else the embedded one.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb and its verbs."""
    group = typer.Typer(name="model", help="List, describe, verify, install, pack and sign model packages.")
    group.command("list")(list_)
    group.command("show")(show)
    group.command("verify")(verify)
    group.command("install")(install)
    group.command("pack")(pack)
    group.command("key")(key)
    group.command("sign")(sign)
    group.command("trust")(trust)
    app.add_typer(group, no_args_is_help=True)


def list_(as_json: JsonOption = False) -> None:
    """Which models there are. Exit status 1 where one of them cannot be used."""
    from edge_all.model.store import list_packages
    from edge_all.model.trust import signature_state, signed_only

    def state_of(one: StoredPackage) -> str:
        return "" if one.package is None else signature_state(one.package).words

    stored = list_packages()
    if as_json:
        records = [
            {
                "name": one.name,
                "version": one.version,
                "variants": [] if one.package is None else list(one.package.card.variants),
                "embedded": one.embedded,
                "path": str(one.path),
                "signature": None if one.package is None else signature_state(one.package).status,
                "problem": one.problem,
            }
            for one in stored
        ]
        print_json(records)
    else:
        rows = [
            (
                one.name,
                one.version or "?",
                "" if one.package is None else ", ".join(one.package.card.variants),
                "embedded" if one.embedded else str(one.path),
                state_of(one),
                one.problem or "ok",
            )
            for one in stored
        ]
        _print_table(("name", "version", "variants", "where", "signature", "state"), rows)
        if signed_only():
            typer.echo("This station accepts signed packages only.")
    raise typer.Exit(0 if all(one.problem is None for one in stored) else 1)


def show(
    model: _PackageArgument = None,
    full: Annotated[bool, typer.Option("--full", help="Print the whole card: training, folds, gate, tools.")] = False,
    as_json: JsonOption = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print a page of Markdown, as MODEL_CARD.md is.")
    ] = False,
) -> None:
    """The model card: what the model is and is not for, how good it is, and what not to trust it with."""
    from edge_all.model.store import find_package

    package = find_package(model)
    if as_json:
        print_json(package.card.to_json())
    elif markdown:
        from edge_all.outputs.card_markdown import card_markdown

        typer.echo(card_markdown(package.card), nl=False)
    elif full:
        _print_card(package)
    else:
        from edge_all.cli.model_summary import print_summary

        print_summary(package)


def verify(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL|ARCHIVE.zip]",
            help="Installed model's name (name or name@version), a package folder, or an archive, which is not "
            "installed; else the embedded one.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check every hash and the signature, open every network, and compare each with its golden answers on this machine.

    Exit status 1 where one of them is wrong, or where this station does not accept the package.
    """
    from edge_all.classification.verification import check_package
    from edge_all.model.package import sha256_of
    from edge_all.model.store import find_package, unpacked_package

    archive: dict[str, str] | None = None
    if model is not None and Path(model).is_file():
        with unpacked_package(Path(model)) as package:
            found = check_package(package)
        archive = {"path": model, "sha256": sha256_of(Path(model))}
    else:
        found = check_package(find_package(model))
    if as_json:
        print_json({**found.to_json(), "archive": archive})
    else:
        _print_check(found)
        if archive is not None:
            typer.echo(f"{archive['sha256']}  {archive['path']}")
    raise typer.Exit(0 if found.passed else 1)


def _print_check(found: PackageCheck) -> None:
    rows: list[tuple[str, str, str, str]] = []
    for variant, check in found.networks.items():
        block = found.package.card.variants[variant]
        rows.append((variant, block.file, block.sha256, _golden_words(check)))
    outlines = found.outlines
    rows.append(("outlines of cells", outlines.file, outlines.sha256, _golden_words(outlines.golden)))
    _print_table(("variant", "file", "SHA-256, verified", "golden answers"), rows)
    typer.echo(f"Signature: {found.signature.words}")
    if not found.accepted:
        typer.echo("This station accepts signed packages only: this one is NOT accepted.")


def _golden_words(check: GoldenCheck) -> str:
    if check.largest_difference is None:
        return "the card carries none"
    return f"{'met' if check.passed else 'MISSED'}, difference {check.largest_difference:.2g}"


def install(
    source: Annotated[
        str, typer.Argument(metavar="FILE|FOLDER|URL", help="An archive, a folder, or an https address.")
    ],
    sha256: Annotated[str | None, typer.Option(help="SHA-256 of the archive; required for an address.")] = None,
) -> None:
    """Verify a model package and install it for this user. Only an address makes edge-all use a network.

    An installed copy of it that is damaged is replaced; an intact one never is, and no file of yours is removed.
    """
    from edge_all.classification.verification import check_networks
    from edge_all.model import store

    def on_aside(folder: Path) -> None:
        typer.echo(
            f"The damaged copy held other files, too; it lies in {folder} now. Remove it when you like.", err=True
        )

    package = store.install(source, check_networks, sha256=sha256, on_aside=on_aside)
    typer.echo(f"{package.card.name} {package.card.version} is installed at {package.path}")
    typer.echo(f"Use it with: --model {package.card.name}@{package.card.version}")


def pack(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE.zip", help="File to write; must not exist.")],
    model: _PackageArgument = None,
) -> None:
    """Write a verified model package as one archive with checksums, and print the archive's SHA-256."""
    from edge_all.model import archive as archives
    from edge_all.model.store import find_package

    digest = archives.pack(find_package(model), archive)
    typer.echo(f"{digest}  {archive}")


def key(
    new: Annotated[Path, typer.Argument(metavar="NEW.pem", help="File for the private key; must not exist.")],
) -> None:
    """Make a key pair to sign packages with. The private key stays with you; NEW.pub.pem is for the stations."""
    from edge_all.model.signing import new_key

    public, fingerprint = new_key(new)
    typer.echo(f"{new} is the private key: keep it to yourself, away from the stations.")
    typer.echo(f"{public} is the public key, {fingerprint}")


def sign(
    model: Annotated[str, typer.Argument(metavar="PACKAGE", help="Folder of a package, or an installed one's name.")],
    key_file: Annotated[Path, typer.Option("--key", metavar="FILE", help="The private key.")],
) -> None:
    """Sign a verified model package: its card, which names every other file with its hash. Changes none of them."""
    from edge_all.model.signing import SIGNATURE_FILE
    from edge_all.model.signing import sign as sign_package
    from edge_all.model.store import find_package

    package = find_package(model)
    fingerprint = sign_package(package, key_file)
    typer.echo(f"{package.path / SIGNATURE_FILE}: signed by key {fingerprint}")


def trust(
    key_file: Annotated[Path, typer.Argument(metavar="KEY.pub.pem", help="A public key, as its maker published it.")],
) -> None:
    """Trust packages signed with this key. Compare the fingerprint with the one that its maker told you."""
    from edge_all.model.trust import SIGNED_ONLY_VARIABLE, signed_only, trusted_keys_folder
    from edge_all.model.trust import trust as trust_key

    name, fingerprint = trust_key(key_file)
    typer.echo(f"Trusted as {name}: key {fingerprint}, in {trusted_keys_folder()}")
    if not signed_only():
        typer.echo(f"Unsigned packages are used as well, until {SIGNED_ONLY_VARIABLE}=1 is set.")


def _print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from edge_all.cli.tables import ReadableTable
    from edge_all.results import INTENDED_USE

    table = ReadableTable(*columns, fold=columns, caption=INTENDED_USE)
    for row in rows:
        table.add_row(*row)
    table.print()


def _print_card(package: ModelPackage) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    from edge_all.cli.tables import output_console

    card = package.card
    tree = Tree(f"[bold]{escape(card.name)} {escape(card.version)}[/bold]  {escape(str(package.path))}")
    record = card.to_json()
    shown = ("intended_use", "architecture", "created", "limitations", "evaluation", "training", "variants")
    for key in (*shown, "preprocessing", "networks_from", "outlines", "tools"):
        _grow(tree, key, record.get(key))
    output_console().print(tree)


def _grow(tree: Any, key: str, value: Any) -> None:  # noqa: ANN401  a branch of rich, and whatever JSON holds
    """Add one value of the card to the tree: short things in a line, others as branches, nothing not at all.

    Laboratories have the names by which people know them; in all else the card has its own words, as in its JSON.
    """
    from rich.markup import escape

    from edge_all.wording.laboratories import laboratory_name

    if value in (None, {}, [], ()):
        return
    if isinstance(value, dict):
        branch = tree.add(f"[cyan]{escape(key)}[/cyan]")
        for name, inner in value.items():
            _grow(branch, laboratory_name(name), inner)
    elif isinstance(value, (list, tuple)) and any(isinstance(inner, (dict, list, tuple, str)) for inner in value):
        branch = tree.add(f"[cyan]{escape(key)}[/cyan]")
        for number, inner in enumerate(value, 1):
            if isinstance(inner, str):
                branch.add(escape(laboratory_name(inner)))
            else:
                _grow(branch, str(number), inner)
    else:
        text = f"{value:.4g}" if isinstance(value, float) else laboratory_name(value)
        tree.add(f"[cyan]{escape(key)}[/cyan] {escape(text)}")
