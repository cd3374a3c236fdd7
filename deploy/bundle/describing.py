"""What a bundle says of what it holds: a bill of materials (CycloneDX), licences, and hashes that pip installs by."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from collecting import Wheel

__all__ = ["bill_of_materials", "digest_of", "licence_of", "licences", "requirements"]

_LONGEST_LICENCE = 80
"""Characters; some put the whole text where its name belongs."""


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def licence_of(wheel: Wheel) -> str:
    """What a wheel says of its licence, in a line."""
    metadata = wheel.metadata
    expression = metadata["License-Expression"]
    if expression:
        return str(expression)
    named = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    if named:
        return ", ".join(named)
    text = (metadata["License"] or "").strip()
    return text if text and len(text) <= _LONGEST_LICENCE and "\n" not in text else "see the wheel's own licence files"


def licences(wheels: Iterable[Wheel]) -> str:
    """A table of what is in the bundle and under which licence."""
    rows = [f"| {wheel.name} | {wheel.version} | {licence_of(wheel)} |" for wheel in wheels]
    head = [
        "# Licences",
        "",
        "As each wheel states it; the texts lie in the wheels, in their folders `*.dist-info`. Some hold libraries of",
        "others, which these texts name.",
        "",
        "| distribution | version | licence |",
        "|---|---|---|",
    ]
    return "\n".join([*head, *rows]) + "\n"


def requirements(wheels: Iterable[Wheel]) -> str:
    """Every wheel with its hash, for ``pip install --require-hashes``."""
    return "".join(f"{wheel.name}=={wheel.version} --hash=sha256:{digest_of(wheel.path)}\n" for wheel in wheels)


def bill_of_materials(wheels: Iterable[Wheel], models: Iterable[Path], about: dict[str, Any]) -> str:
    """The bill of materials, CycloneDX 1.6 in JSON; the same for the same bundle.

    Args:
        wheels: of the bundle.
        models: model packages beside the one in edge-all itself.
        about: ``version`` of edge-all, and the ``target``.
    """
    components: list[dict[str, Any]] = []
    for wheel in wheels:
        address = f"pkg:pypi/{wheel.name}@{wheel.version}"
        components.append(
            {
                "type": "library",
                "bom-ref": address,
                "name": wheel.name,
                "version": wheel.version,
                "purl": address,
                "licenses": [_licence(wheel)],
                "hashes": [{"alg": "SHA-256", "content": digest_of(wheel.path)}],
            }
        )
    components += [
        {
            "type": "machine-learning-model",
            "bom-ref": f"model:{model.name}",
            "name": model.stem,
            "hashes": [{"alg": "SHA-256", "content": digest_of(model)}],
        }
        for model in models
    ]
    main = {"type": "application", "bom-ref": "edge-all-bundle", "name": "edge-all", "version": about["version"]}
    seed = json.dumps([components, about], sort_keys=True)
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, seed)}",
        "version": 1,
        "metadata": {
            "component": main,
            "properties": [{"name": "edge-all:target", "value": about["target"]}],
        },
        "components": components,
        "dependencies": [{"ref": main["bom-ref"], "dependsOn": [one["bom-ref"] for one in components]}],
    }
    return json.dumps(document, indent=2) + "\n"


def _licence(wheel: Wheel) -> dict[str, Any]:
    expression = wheel.metadata["License-Expression"]
    return {"expression": expression} if expression else {"license": {"name": licence_of(wheel)}}
