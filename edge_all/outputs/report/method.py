"""The report's last part: how to read it, and how it was made."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from edge_all import __version__
from edge_all.model.card import ModelCard
from edge_all.model.figures import with_interval
from edge_all.outputs.report.markup import text
from edge_all.outputs.result_words import number_words
from edge_all.results import FieldSummary, ModelIdentity, ProviderReport

__all__ = ["how_to_read", "method", "model_words", "models_of"]


def how_to_read(*, with_maps: bool, stopped_early: bool) -> str:
    """The words of the report explained.

    Args:
        with_maps: whether it shows class activation maps.
        stopped_early: whether images of some slide were left out.
    """
    maps = (
        '<dt id="maps">Class activation map</dt><dd>The cell without its colours; the more orange a place, the more of '
        "what the network saw there speaks for ALL. Grey places say nothing, or speak against it. The map is coarse: "
        "each place sees a good part of the picture, so that colour spreads beyond the cell. It shows what the network "
        "went by, not what is there, and is no second opinion.</dd>"
    )
    stopping = (
        "<dt>Not looked at</dt><dd>The run was asked to leave a slide once its verdict was settled, by tests that bear "
        "a look after every field. They take the cells for independent draws from the slide: where its fields "
        "differ, as when the thin end was photographed first, those looked at can mislead.</dd>"
    )
    return (
        '<section><h2>How to read this</h2><dl class="explanations">'
        "<dt>Probability</dt><dd>The model's calibrated probability that this one cell is a lymphoblast of ALL. It is "
        "no probability that the patient has the disease.</dd>"
        "<dt>95 % interval</dt><dd>The Wilson interval of the fraction: what a count of so many cells leaves open by "
        "chance alone. It knows nothing of errors of the model, of the smear, or of the choice of fields.</dd>"
        "<dt>Indeterminate</dt><dd>The model does not decide; a person should. Such cells count in the total and never "
        "as ALL. A cell marked <em>unlike training</em> resembles nothing that the model was trained on; its "
        "probability is not relied upon.</dd>"
        "<dt>Rejected</dt><dd>Objects that are no whole white cell, each with its reason. They are not classified and "
        f"not counted.</dd>{stopping * stopped_early}{maps * with_maps}</dl></section>"
    )


def method(fields: Sequence[FieldSummary], card: ModelCard | None) -> str:
    """Model, device, figures of the model, timings and versions.

    Args:
        fields: all fields of the report.
        card: of the model package, where it is known.
    """
    models = models_of(fields)
    providers = list(dict.fromkeys(field.provider for field in fields if field.provider is not None))
    parts = ['<section class="method"><h2>Model and device</h2>']
    if len(models) > 1 or len(providers) > 1:
        parts.append(
            '<ul class="warnings"><li>The fields were not all judged by the same model on the same device; the run was '
            "resumed with another one.</li></ul>"
        )
    parts += [_facts(_model_facts(model)) for model in models]
    parts += [_facts(_provider_facts(provider)) for provider in providers]
    if not models:
        parts.append("<p>No field was judged by a model.</p>")
    if card is not None:
        parts.append(_card(card, {model.variant for model in models}))
    parts.append(_timings(fields))
    versions = {
        "edge-all": __version__,
        "Python": platform.python_version(),
        "OpenCV": str(cv2.__version__),
        "NumPy": str(np.__version__),
    }
    parts.append(f"<h3>Versions</h3>{_facts(versions)}</section>")
    return "".join(parts)


def _model_facts(model: ModelIdentity) -> dict[str, Any]:
    return {
        "model": f"{model.name} {model.version}",
        "precision": model.variant,
        "SHA-256 of the network": model.sha256,
        "SHA-256 of the card, with the thresholds": model.card_sha256,
    }


def _provider_facts(provider: ProviderReport) -> dict[str, Any]:
    return {
        "device asked for": provider.requested,
        "execution provider obtained": provider.obtained,
        "why": provider.reason,
        "threads": provider.threads,
    }


def _card(card: ModelCard, variants: set[str]) -> str:
    limitations = "".join(f"<li>{text(sentence)}</li>" for sentence in card.limitations)
    used = {name: variant for name, variant in card.variants.items() if name in variants}
    decisions = {
        name: {
            "non-ALL below": variant.thresholds.non_all_below,
            "ALL from": variant.thresholds.all_from,
            "false-positive rate, upper bound": variant.thresholds.false_positive_rate,
            "temperature": variant.temperature,
        }
        for name, variant in used.items()
    }
    parts = [f"<h3>Model card: {text(card.name)} {text(card.version)}</h3>"]
    if limitations:
        parts.append(f'<h4>Limitations</h4><ul class="limitations">{limitations}</ul>')
    parts.append(_facts({"architecture": card.architecture, "created": card.created, "decision thresholds": decisions}))
    if card.evaluation:
        parts.append(f"<h4>How good it is</h4>{_facts(card.evaluation)}")
    if card.training:
        parts.append(f"<details><summary>What it was trained on</summary>{_facts(card.training)}</details>")
    return "".join(parts)


def _timings(fields: Iterable[FieldSummary]) -> str:
    stages: dict[str, list[float]] = {}
    for field in fields:
        for stage, value in field.timings_ms.items():
            stages.setdefault(stage, []).append(value)
    if not stages:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{text(stage)}</th><td>{statistics.median(values):.1f}</td><td>{max(values):.1f}</td>'
        f"<td>{sum(values) / 1000:.2f}</td><td>{len(values)}</td></tr>"
        for stage, values in stages.items()
    )
    return (
        '<h3>Timings</h3><table class="timings"><thead><tr><th scope="col">Stage</th>'
        '<th scope="col">Median, ms a field</th><th scope="col">Longest, ms</th><th scope="col">Total, s</th>'
        f'<th scope="col">Fields</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _facts(record: Mapping[str, Any]) -> str:
    """Names and values, nested as they are."""
    rows = "".join(
        f"<dt>{text(str(name).replace('_', ' '))}</dt><dd>{_value(value)}</dd>" for name, value in record.items()
    )
    return f'<dl class="record">{rows}</dl>'


def _value(value: Any) -> str:  # noqa: ANN401 - a card holds whatever JSON can hold
    figure = with_interval(value)
    if figure is not None:
        return text("{} ({} to {})".format(*map(number_words, figure)))
    if isinstance(value, Mapping):
        return _facts(value)
    if isinstance(value, list | tuple):
        if len(value) == 2 and all(isinstance(bound, float) for bound in value):
            return f"{number_words(value[0])} to {number_words(value[1])}"
        if any(isinstance(item, Mapping) for item in value):
            return "".join(_value(item) for item in value)
        return text(", ".join(number_words(item) for item in value))
    return text(number_words(value))


def models_of(fields: Iterable[FieldSummary]) -> list[ModelIdentity]:
    """The models that judged: one, unless a run was resumed with another."""
    return list(dict.fromkeys(field.model for field in fields if field.model is not None))


def model_words(model: ModelIdentity) -> str:
    """Name, version and precision of a model."""
    return f"{model.name} {model.version} ({model.variant})"
