"""What will be measured: everything that is known, and can be refused, before anything is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from edge_all.benchmark.machine_description import describe_machine
from edge_all.benchmark.recorded import Configuration, Subject
from edge_all.benchmark.workload import BenchmarkImages, Workload, prepare_workload
from edge_all.classification.classifier import Classifier
from edge_all.errors import UsageError
from edge_all.model.card import VARIANTS, VariantName
from edge_all.model.package import ModelPackage
from edge_all.model.store import find_package

__all__ = ["Plan", "PreparedBenchmark", "prepare_benchmark"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure: the product of these lists.

    Attributes:
        model: an installed package's name, or a folder; the embedded package where None.
        variants: precisions; empty for the one that the pipeline itself would choose.
        devices: as the user names them.
        threads: that compute the network; empty for as many as there are cores.
        batches: batch sizes of the bare network that are compared; empty for the pipeline's, on the CPU also 8.
        rounds: how often whole runs are repeated.
    """

    model: str | None = None
    variants: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("auto",)
    threads: tuple[int, ...] = ()
    batches: tuple[int, ...] = ()
    rounds: int = 3


@dataclass(frozen=True, slots=True)
class PreparedBenchmark:
    """A plan, and all that it comes to on this machine.

    Attributes:
        plan: what was asked for.
        machine: from `edge_all.benchmark.machine_description.describe_machine`.
        package: the model package.
        workload: the images and their cells.
        classifiers: one for each configuration, no two of them alike.
    """

    plan: Plan
    machine: dict[str, Any]
    package: ModelPackage
    workload: Workload
    classifiers: tuple[Classifier, ...]

    @property
    def subject(self) -> Subject:
        """What the benchmark will be about."""
        configurations = tuple(map(_configuration, self.classifiers))
        return Subject(self.machine["hardware"], self.workload.sha256, configurations)


def prepare_benchmark(
    images: BenchmarkImages, plan: Plan, *, on_step: Callable[[str], None] = lambda _: None
) -> PreparedBenchmark:
    """Find the cells and open the networks.

    Of variants, devices and threads that come to the same (``cpu`` and ``auto`` where there is nothing but the CPU),
    the first is kept.

    Args:
        images: from `edge_all.benchmark.workload`.
        plan: what to measure.
        on_step: told what is being done now.

    Raises:
        UsageError: no such variant, or no image holds a cell.
        ModelError: no such package or variant.
        RuntimeSetupError: a device does not start.
    """
    for variant in plan.variants:
        if variant not in VARIANTS:
            raise UsageError(f"There is no variant {variant!r}.", f"Choose one of: {', '.join(VARIANTS)}.")
    package = find_package(plan.model)
    on_step("finding the cells")
    workload = prepare_workload(images, package.card.preprocessing)
    on_step("opening the networks")
    names: Sequence[VariantName | None] = [name for name in VARIANTS if name in plan.variants] or [None]
    classifiers: dict[Configuration, Classifier] = {}
    for wanted, device, threads in itertools.product(names, plan.devices or ("auto",), plan.threads or (None,)):
        classifier = Classifier(package, variant=wanted, device=device, threads=threads)
        classifiers.setdefault(_configuration(classifier), classifier)
    return PreparedBenchmark(plan, describe_machine(), package, workload, tuple(classifiers.values()))


def _configuration(classifier: Classifier) -> Configuration:
    provider = classifier.provider
    return Configuration(classifier.identity.sha256, classifier.variant, provider.obtained, provider.threads)
