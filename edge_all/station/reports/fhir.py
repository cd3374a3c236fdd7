"""A slide's report as a FHIR R4 Bundle (https://hl7.org/fhir/R4/): plain JSON, validated in the tests.

The slide is a Specimen with its pseudonymous code; no patient is known here. The software is a Device with the hash of
its network; what was counted are Observations under a DiagnosticReport; who signed and who opened it again are
Provenances. Codes are texts with a system of edge-all's own: a code of LOINC would claim a validated examination.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from edge_all import __version__
from edge_all.results import INTENDED_USE, SlideResult
from edge_all.station.reports.slide_report import SlideReport
from edge_all.station.review.signatures import Signature

__all__ = ["fhir_bundle"]

_CODES = "urn:edge-all:observation"
_VERIFICATION = {
    "system": "urn:iso-astm:E1762-95:2013",
    "code": "1.2.840.10065.1.12.1.5",
    "display": "Verification Signature",
}
"""Of the signature types that FHIR lists (ASTM E1762-95): who signs attests that it was looked through."""
_AUTHOR = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"

_TEST_DATA = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
"""By which systems know a bundle that speaks of no person: the label that FHIR has for it (R4, security labels)."""

_Resource = dict[str, Any]


def fhir_bundle(report: SlideReport) -> _Resource:
    """The report as a Bundle of type ``collection``."""
    names = _Names(report)
    specimen: _Resource = {
        "resourceType": "Specimen",
        "identifier": [{"system": "urn:edge-all:slide", "value": report.view.slide.code}],
        "type": {"text": "Stained blood smear"},
    }
    if report.notice is not None:
        specimen["note"] = [{"text": report.notice}]
    devices = [(f"device {number}", _device(report, number)) for number in range(max(1, len(report.view.models)))]
    observations = [(code, _observation(report, names, code, value)) for code, value in _observed(report)]
    resources = [
        ("report", _diagnostic_report(report, names, [code for code, _ in observations])),
        ("specimen", specimen),
        *devices,
        *observations,
        *_provenances(report, names),
    ]
    return {
        "resourceType": "Bundle",
        **({} if report.notice is None else {"meta": {"security": [_TEST_DATA]}}),
        "type": "collection",
        "timestamp": report.made_at,
        "identifier": {"system": "urn:edge-all:audit-chain", "value": report.chain_sha256},
        "entry": [{"fullUrl": names.url(name), "resource": resource} for name, resource in resources],
    }


class _Names:
    """URLs of a bundle's resources: the same report always has the same ones."""

    def __init__(self, report: SlideReport) -> None:
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"edge-all:{report.view.slide.code}:{report.chain_sha256}")

    def url(self, name: str) -> str:
        return f"urn:uuid:{uuid.uuid5(self._space, name)}"

    def reference(self, name: str) -> dict[str, str]:
        return {"reference": self.url(name)}


def _diagnostic_report(report: SlideReport, names: _Names, observations: Iterable[str]) -> _Resource:
    result = report.view.tally.result
    resource: _Resource = {
        "resourceType": "DiagnosticReport",
        "status": report.status,
        "code": {"text": "Search for acute lymphoblastic leukaemia cells in a stained blood smear"},
        "specimen": [names.reference("specimen")],
        "issued": report.signatures[-1].at if report.signatures else report.made_at,
        "result": [names.reference(code) for code in observations],
        "conclusion": " ".join(filter(None, (report.notice, f"{result.verdict}. {result.reason} {INTENDED_USE}"))),
    }
    if report.signatures:
        resource["resultsInterpreter"] = [
            {"display": name} for name in dict.fromkeys(one.name for one in report.signatures)
        ]
    return resource


def _device(report: SlideReport, number: int) -> _Resource:
    resource: _Resource = {
        "resourceType": "Device",
        "deviceName": [{"name": "edge-all", "type": "model-name"}],
        "version": [{"type": {"text": "software"}, "value": __version__}],
        "note": [{"text": INTENDED_USE}],
    }
    if report.view.models:
        identity, limits = report.view.models[number].identity, report.view.models[number].thresholds
        resource["identifier"] = [
            {"system": "urn:edge-all:network-sha256", "value": identity.sha256},
            {"system": "urn:edge-all:card-sha256", "value": identity.card_sha256},
        ]
        resource["version"].append(
            {"type": {"text": "model"}, "value": f"{identity.name} {identity.version} ({identity.variant})"}
        )
        resource["property"] = [
            _property("non-ALL below", limits.non_all_below),
            _property("ALL from", limits.all_from),
            _property("false-positive rate", limits.false_positive_rate),
        ]
    return resource


def _property(name: str, value: float) -> _Resource:
    return {
        "type": {"text": name},
        "valueQuantity": [{"value": value, "system": "http://unitsofmeasure.org", "code": "1"}],
    }


def _observed(report: SlideReport) -> list[tuple[str, _Resource]]:
    """What was counted, by its code: the part of an Observation that holds the value."""
    result, tally = report.view.tally.result, report.view.tally
    observed: list[tuple[str, _Resource]] = [
        (f"cells {label}", {"valueQuantity": _count(result.cells[label])})
        for label in ("ALL", "non-ALL", "indeterminate")
    ]
    observed += [(f"kind {name}", {"valueQuantity": _count(number)}) for name, number in sorted(tally.kinds.items())]
    if result.all_fraction is not None:
        observed.append(("ALL fraction", _fraction(result)))
    observed.append(("verdict", {"valueCodeableConcept": {"text": result.verdict}}))
    observed.append(("verdict of the software alone", {"valueCodeableConcept": {"text": report.software.verdict}}))
    observed.append(("cells changed by people", {"valueQuantity": _count(len(report.changes))}))
    return observed


def _count(number: int) -> _Resource:
    return {"value": number, "unit": "cells", "system": "http://unitsofmeasure.org", "code": "{cells}"}


def _fraction(result: SlideResult) -> _Resource:
    low, high = result.all_fraction_interval or (0.0, 1.0)
    return {
        "valueQuantity": _percent(result.all_fraction or 0.0),
        "component": [
            {"code": {"text": "lower end of the 95 % interval"}, "valueQuantity": _percent(low)},
            {"code": {"text": "upper end of the 95 % interval"}, "valueQuantity": _percent(high)},
        ],
    }


def _percent(share: float) -> _Resource:
    return {"value": round(100 * share, 2), "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


def _observation(report: SlideReport, names: _Names, code: str, value: _Resource) -> _Resource:
    return {
        "resourceType": "Observation",
        "status": report.status,
        "code": {"coding": [{"system": _CODES, "code": code.replace(" ", "-")}], "text": code},
        "specimen": names.reference("specimen"),
        "device": names.reference("device 0"),
        "issued": report.made_at,
        **value,
    }


def _provenances(report: SlideReport, names: _Names) -> list[tuple[str, _Resource]]:
    """Who judged, who signed, and who opened it again."""
    software: _Resource = {
        "resourceType": "Provenance",
        "target": [names.reference("report")],
        "recorded": report.made_at,
        "agent": [{"type": {"coding": [{"system": _AUTHOR, "code": "assembler"}]}, "who": names.reference("device 0")}],
    }
    signed = [(f"signature {one.seq}", _signed(names, one)) for one in report.signatures]
    opened = [
        (
            f"amendment {number}",
            {
                "resourceType": "Provenance",
                "target": [names.reference("report")],
                "recorded": one.at,
                "reason": [{"text": one.reason}],
                "activity": {"text": "opened again"},
                "agent": [{"who": {"display": one.name}}],
            },
        )
        for number, one in enumerate(report.amendments)
    ]
    return [("provenance", software), *signed, *opened]


def _signed(names: _Names, signature: Signature) -> _Resource:
    return {
        "resourceType": "Provenance",
        "target": [names.reference("report")],
        "recorded": signature.at,
        "reason": [{"text": signature.reason}],
        "activity": {"text": signature.meaning},
        "agent": [
            {
                "type": {"coding": [{"system": _AUTHOR, "code": "verifier"}]},
                "who": {"display": signature.name},
            }
        ],
        "signature": [{"type": [_VERIFICATION], "when": signature.at, "who": {"display": signature.name}}],
    }
