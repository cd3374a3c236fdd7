"""The packages that the user installed, whichever of them is asked for today."""

from __future__ import annotations

from edge_all.doctor.report import Check
from edge_all.model.store import list_packages

__all__ = ["check_installed_packages"]


def check_installed_packages() -> Check:
    """Every installed package against its hashes, a millisecond a megabyte; no network is opened."""
    name = "installed packages"
    installed = [one for one in list_packages() if not one.embedded]
    damaged = [one for one in installed if one.problem is not None]
    if damaged:
        return Check(
            name,
            "problem",
            "\n".join(f"{one.name} {one.version}: {one.problem}" for one in damaged),
            "Install each again from where you trust it (`edge-all model install`), or remove its folder.",
        )
    listing = ", ".join(f"{one.name} {one.version}" for one in installed)
    return Check(name, "ok", f"{listing}: every hash right" if installed else "none but the embedded one")
