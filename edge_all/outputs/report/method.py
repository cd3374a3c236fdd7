"""The report's last part: how to read it, and how it was made."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np

from edge_all import __version__
from edge_all.imaging.ranks import median_of
from edge_all.model.card import ModelCard
from edge_all.outputs.report.facts import facts
from edge_all.outputs.report.markup import text
from edge_all.outputs.report.model_card import model_card
from edge_all.results import FieldSummary, ModelIdentity, ProviderReport
from edge_all.wording.language import Language

__all__ = ["how_to_read", "method", "model_words", "models_of"]


def how_to_read(say: Language, *, with_maps: bool, stopped_early: bool) -> str:
    """The words of the report explained.

    Args:
        say: the reader's language.
        with_maps: whether it shows class activation maps.
        stopped_early: whether images of some slide were left out.
    """
    explained = [
        (
            "",
            say("Probability"),
            say(
                "The model's calibrated probability that this one cell is a lymphoblast of ALL. It is no probability "
                "that the patient has the disease."
            ),
        ),
        (
            "",
            say("The interval"),
            say(
                "The Wilson interval of the fraction: what a count of so many cells leaves open by chance alone. It "
                "knows nothing of errors of the model, of the smear, or of the choice of fields."
            ),
        ),
        (
            "",
            say("Indeterminate"),
            say(
                "The model does not decide; a person should. Such cells count in the total and never as ALL. A cell "
                "marked <em>unlike training</em> resembles nothing that the model was trained on; its probability is "
                "not relied upon. One marked <em>rather unlike training</em> keeps its label and speaks against its "
                "slide: where more than half of the cells are so, the slide is indeterminate."
            ),
        ),
        (
            "",
            say("Rejected"),
            say("Objects that are no whole white cell, each with its reason. They are not classified and not counted."),
        ),
    ]
    if stopped_early:
        words = say(
            "The run was asked to leave a slide once its verdict was settled, by tests that bear a look after every "
            "field. They take the cells for independent draws from the slide: where its fields differ, as when the "
            "thin end was photographed first, those looked at can mislead."
        )
        explained.append(("", say("Not looked at"), words))
    if with_maps:
        words = say(
            "The cell without its colours; the more orange a place, the more of what the network saw there speaks for "
            "ALL. Grey places say nothing, or speak against it. The map is coarse: each place sees a good part of the "
            "picture, so that colour spreads beyond the cell. It shows what the network went by, not what is there, "
            "and is no second opinion."
        )
        explained.append((' id="maps"', say("Class activation map"), words))
    terms = "".join(f"<dt{anchor}>{term}</dt><dd>{words}</dd>" for anchor, term, words in explained)
    return f'<section class="reading"><h2>{say("How to read this")}</h2><dl class="explanations">{terms}</dl></section>'


def method(fields: Sequence[FieldSummary], card: ModelCard | None, say: Language) -> str:
    """Model, device, figures of the model, timings and versions.

    Args:
        fields: all fields of the report.
        card: of the model package, where it is known; what its maker wrote is shown as it is.
        say: the reader's language.
    """
    models = models_of(fields)
    providers = list(dict.fromkeys(field.provider for field in fields if field.provider is not None))
    parts = ['<section class="method"><h2>' + say("Model and device") + "</h2>"]
    if len(models) > 1 or len(providers) > 1:
        parts.append(
            '<ul class="warnings"><li>'
            + say(
                "The fields were not all judged by the same model on the same device; the run was resumed with another "
                "one."
            )
            + "</li></ul>"
        )
    parts += [facts(_model_facts(model, say)) for model in models]
    parts += [facts(_provider_facts(provider, say)) for provider in providers]
    if not models:
        parts.append(f"<p>{say('No field was judged by a model.')}</p>")
    if card is not None:
        parts.append(model_card(card, {model.variant for model in models}, say))
    parts.append(_timings(fields, say))
    versions = {
        "edge-all": __version__,
        "Python": platform.python_version(),
        "OpenCV": str(cv2.__version__),
        "NumPy": str(np.__version__),
    }
    parts.append(f'<div class="versions"><h3>{say("Versions")}</h3>{facts(versions)}</div></section>')
    return "".join(parts)


def _model_facts(model: ModelIdentity, say: Language) -> dict[str, Any]:
    return {
        say("model"): f"{model.name} {model.version}",
        say("precision"): model.variant,
        say("SHA-256 of the network"): model.sha256,
        say("SHA-256 of the card, with the thresholds"): model.card_sha256,
    }


def _provider_facts(provider: ProviderReport, say: Language) -> dict[str, Any]:
    return {
        say("device asked for"): provider.requested,
        say("execution provider obtained"): provider.obtained,
        say("why"): say.sentence(provider.reason),
        say("threads"): provider.threads,
    }


def _timings(fields: Iterable[FieldSummary], say: Language) -> str:
    stages: dict[str, list[float]] = {}
    for field in fields:
        for stage, value in field.timings_ms.items():
            stages.setdefault(stage, []).append(value)
    if not stages:
        return ""
    medians = {stage: median_of(np.array(values, np.float64)) for stage, values in stages.items()}
    rows = "".join(
        f'<tr><th scope="row">{text(say.sentence(stage))}</th><td>{say.figure(f"{medians[stage]:.1f}")}</td>'
        f"<td>{say.figure(f'{max(values):.1f}')}</td><td>{say.figure(f'{sum(values) / 1000:.2f}')}</td>"
        f"<td>{len(values)}</td></tr>"
        for stage, values in stages.items()
    )
    columns = (say("Stage"), say("Median, ms a field"), say("Longest, ms"), say("Total, s"), say("Fields"))
    headings = "".join(f'<th scope="col">{heading}</th>' for heading in columns)
    return (
        f'<div class="timed"><h3>{say("Timings")}</h3><table class="timings"><thead><tr>{headings}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def models_of(fields: Iterable[FieldSummary]) -> list[ModelIdentity]:
    """The models that judged: one, unless a run was resumed with another."""
    return list(dict.fromkeys(field.model for field in fields if field.model is not None))


def model_words(model: ModelIdentity) -> str:
    """Name, version and precision of a model."""
    return f"{model.name} {model.version} ({model.variant})"
