"""The packages that the user installed, whichever of them is asked for today."""

from __future__ import annotations

from edge_all.doctor.findings import Check
from edge_all.errors import EdgeAllError
from edge_all.model.signing import can_check_signatures
from edge_all.model.store import list_packages
from edge_all.model.trust import SIGNED_ONLY_VARIABLE, signed_only, trusted_keys, trusted_keys_folder
from edge_all.wording.extras import install_words

__all__ = ["check_installed_packages", "check_signatures"]


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


def check_signatures() -> Check:
    """Whether this station accepts signed packages only, and whose."""
    name = "signatures"
    if not signed_only():
        return Check(
            name, "ok", f"not asked for; {SIGNED_ONLY_VARIABLE}=1 makes this station accept signed packages only"
        )
    finding = f"signed packages only, and the embedded one ({SIGNED_ONLY_VARIABLE}); "
    if not can_check_signatures():
        words = f"Install edge-all with its extra, {install_words('signing')}."
        return Check(name, "problem", finding + "the Python package cryptography to check them is not installed", words)
    try:
        names = sorted(trusted_keys().values())
    except EdgeAllError as error:
        return Check(
            name, "problem", f"{finding}{error.problem}", f"Remove what is no key from {trusted_keys_folder()}."
        )
    if not names:
        return Check(name, "warning", f"{finding}no key is trusted yet", "`edge-all model trust KEY.pub.pem`.")
    return Check(name, "ok", f"{finding}trusted: {', '.join(names)}; keys in {trusted_keys_folder()}")
