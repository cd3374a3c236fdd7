"""The network that judges: its precision and its execution provider."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_all.errors import ModelError
from edge_all.model.card import VariantName
from edge_all.model.package import ModelPackage
from edge_all.selection.machine import machine_key
from edge_all.selection.timings import read_timings, write_timings
from edge_all.selection.variants import choose_variant, preferred_variants
from edge_all.session import InferenceSession, available_cores, choose_provider, import_onnxruntime, open_session
from edge_all.session.inference import try_provider
from edge_all.session.providers import CPU, ProviderPlan, auto_plans

__all__ = ["Selected", "measured_ms_per_cell", "remembered_timings", "select_network"]

CLEARLY = 1.1
"""What is usually the fastest stays the choice unless another is faster by this factor: a choice that turned on the
noise of a short measurement would differ from day to day."""
REPEATS = 5
ENOUGH_SECONDS = 0.5
"""A candidate is timed `REPEATS` times, or as often as fits into this time, and at least once."""


@dataclass(frozen=True, slots=True)
class Selected:
    """An open network, and why this one.

    Attributes:
        variant: its precision.
        variant_reason: why this precision.
        session: the network; ``session.provider`` says on which provider, and why.
    """

    variant: VariantName
    variant_reason: str
    session: InferenceSession


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One way to run a package: a file on a provider."""

    plan: ProviderPlan
    variant: VariantName
    timing: str
    """Under which its time is kept."""


def measured_ms_per_cell(session: InferenceSession) -> float:
    """Milliseconds a cell in full batches: the best of a few, after one that is not counted."""
    side, cells = session.input_size, session.full_load
    crops = np.full((cells, side, side, 3), 128, np.uint8)
    session.run(crops, ("probability",))
    begun = time.perf_counter()
    best = float("inf")
    for _ in range(REPEATS):
        before = time.perf_counter()
        session.run(crops, ("probability",))
        now = time.perf_counter()
        best = min(best, now - before)
        if now - begun > ENOUGH_SECONDS:
            break
    return best * 1e3 / cells


def select_network(
    package: ModelPackage,
    *,
    device: str = "auto",
    variant: VariantName | None = None,
    threads: int | None = None,
    remember: bool = True,
    measure: Callable[[InferenceSession], float] = measured_ms_per_cell,
) -> Selected:
    """Open the network of a package that suits this machine.

    A device or variant that is named is taken. For `auto`, every variant on every provider that starts is timed, once;
    where only one candidate is left, nothing is timed.

    Args:
        package: a verified package.
        device: see `edge_all.session.open_session`.
        variant: precision; the best for the device where None.
        threads: that compute the network; as many as the process has cores where None.
        remember: whether times that are measured are kept for the next start.
        measure: milliseconds a cell of an open network.

    Raises:
        ModelError: the package lacks the variant, or its network cannot be opened.
        RuntimeSetupError: what is installed cannot do what was asked.
        UsageError: no such device, or less than one thread.
    """
    onnxruntime = import_onnxruntime()
    available = onnxruntime.get_available_providers()
    present = package.card.variants
    if device.lower() != "auto":
        name, why = choose_variant(variant, choose_provider(device, available).provider, present)
        file, sha256 = package.variant_file(name), package.variant(name).sha256
        return Selected(name, why, open_session(file, device=device, threads=threads, sha256=sha256))
    threads = available_cores() if threads is None else threads
    candidates = _candidates(package, available, threads, variant)
    _, why = choose_variant(variant, candidates[0].plan.provider, present)
    machine = machine_key(onnxruntime.__version__, available) if len(candidates) > 1 else {}
    known = read_timings(machine) if machine else {}
    failures: dict[str, str] = {}
    while True:
        best = _next_to_open(candidates, known)
        session, failure = try_provider(
            package.variant_file(best.variant),
            best.plan,
            threads=threads,
            sha256=package.variant(best.variant).sha256,
        )
        if session is not None and best.timing not in known and len(candidates) > 1:
            took, failure = _timed(session, best, measure)
            session = None  # before the next is opened: two networks at once would raise the peak memory
            if took is not None:
                known[best.timing] = took
                if remember:
                    write_timings(machine, known)
                continue
        if session is not None:
            return _selected(session, best, candidates, known, failures, why)
        failures[best.plan.provider] = failure
        candidates = [one for one in candidates if one.plan.provider != best.plan.provider]


def _next_to_open(candidates: Sequence[_Candidate], known: Mapping[str, float]) -> _Candidate:
    """One of several that was never timed; the fastest where all were, or where there is no choice."""
    unknown = [one for one in candidates if one.timing not in known]
    return unknown[0] if unknown and len(candidates) > 1 else _fastest(candidates, known)


def _timed(
    session: InferenceSession, candidate: _Candidate, measure: Callable[[InferenceSession], float]
) -> tuple[float | None, str]:
    """Milliseconds a cell; None, and why, where it fails on a provider that can be done without.

    Raises:
        ModelError: it fails on the CPU, without which there is nothing left.
    """
    try:
        return measure(session), ""
    except ModelError as error:
        if candidate.plan.provider == CPU:
            raise
        return None, error.problem


def remembered_timings(package: ModelPackage) -> dict[str, float | None]:
    """What `auto` may choose from, and milliseconds a cell where they were measured here before.

    Args:
        package: a verified package.

    Returns:
        By the words for a candidate ("int8 on CPU"), the usual choice first; None where `auto` would measure. One
        candidate alone is never measured. Providers that do not start are among them: nothing is opened here.
    """
    onnxruntime = import_onnxruntime()
    available = onnxruntime.get_available_providers()
    candidates = _candidates(package, available, available_cores(), None)
    known = read_timings(machine_key(onnxruntime.__version__, available))
    return {f"{one.variant} on {short_name(one.plan.provider)}": known.get(one.timing) for one in candidates}


def _candidates(
    package: ModelPackage, available: Sequence[str], threads: int, variant: VariantName | None
) -> list[_Candidate]:
    """Every variant, or the one that is wanted, on every provider that `auto` may take, the usual choice first.

    Raises:
        ModelNotFoundError: the package lacks the variant.
    """
    present = package.card.variants
    return [
        _Candidate(plan, name, f"{package.variant(name).sha256[:16]} {plan.provider} {threads} threads")
        for plan in auto_plans(available)
        for name in ((variant,) if variant else preferred_variants(plan.provider, present))
    ]


def _fastest(candidates: Sequence[_Candidate], known: Mapping[str, float]) -> _Candidate:
    """The first of those that no other beats clearly; the only one, where there is one."""
    if len(candidates) == 1:
        return candidates[0]
    limit = CLEARLY * min(known[one.timing] for one in candidates)
    return next(one for one in candidates if known[one.timing] <= limit)


def _selected(
    session: InferenceSession,
    chosen: _Candidate,
    candidates: Sequence[_Candidate],
    known: Mapping[str, float],
    failures: Mapping[str, str],
    by_rule: str,
) -> Selected:
    """Put the reasons into words."""
    absent = [f"{provider} is installed but did not start ({why})" for provider, why in failures.items()]
    if len(candidates) == 1:
        session.explain("; ".join(absent) or chosen.plan.reason)
        return Selected(chosen.variant, by_rule, session)
    several = len({one.plan.provider for one in candidates}) > 1
    times = [
        f"{one.variant}{f' on {short_name(one.plan.provider)}' if several else ''} {known[one.timing]:.3g} ms"
        for one in candidates
    ]
    measured = f"measured: {times[0]} a cell, {', '.join(times[1:])}"
    session.explain("; ".join([measured, *absent]))
    return Selected(chosen.variant, by_rule if len({one.variant for one in candidates}) == 1 else measured, session)


def short_name(provider: str) -> str:
    """``CPU`` for ``CPUExecutionProvider``."""
    return provider.removesuffix("ExecutionProvider")
