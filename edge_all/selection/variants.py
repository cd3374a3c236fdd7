"""Which precision is the best for an execution provider, by rule."""

from __future__ import annotations

from collections.abc import Collection

from edge_all.errors import ModelNotFoundError
from edge_all.model.card import VARIANTS, VariantName

__all__ = ["choose_variant", "preferred_variants"]

_PREFERENCES: dict[str, tuple[VariantName, ...]] = {
    # INT8 is what a CPU is fast at; FP16 gains nothing there (65 ms against 64 ms a cell, AVX2, InceptionV3).
    "CPUExecutionProvider": ("int8", "fp32", "fp16"),
    "CUDAExecutionProvider": ("fp16", "fp32", "int8"),
    "TensorrtExecutionProvider": ("fp16", "fp32", "int8"),
    "DmlExecutionProvider": ("fp16", "fp32", "int8"),
    "OpenVINOExecutionProvider": ("int8", "fp32", "fp16"),
    "CoreMLExecutionProvider": ("fp16", "fp32", "int8"),
}


def preferred_variants(provider: str, present: Collection[VariantName]) -> tuple[VariantName, ...]:
    """The variants of a package, that first which is usually the fastest on a provider.

    Raises:
        ModelNotFoundError: the package has none.
    """
    names = tuple(name for name in _PREFERENCES.get(provider, VARIANTS) if name in present)
    if not names:
        raise ModelNotFoundError("The model package holds no network.", "Export the model again.")
    return names


def choose_variant(
    wanted: VariantName | None, provider: str, present: Collection[VariantName]
) -> tuple[VariantName, str]:
    """The precision to run, and why.

    Args:
        wanted: what the user asked for; None leaves the choice to this function.
        provider: execution provider that will run it.
        present: variants of the package.

    Raises:
        ModelNotFoundError: the package lacks the one that was asked for.
    """
    if wanted is not None:
        if wanted not in present:
            raise ModelNotFoundError(
                f"The model package has no {wanted} variant.", f"It has: {', '.join(present) or 'none'}."
            )
        return wanted, "it was asked for"
    best = preferred_variants(provider, present)[0]
    if len(present) == 1:
        return best, "the only one in the package"
    return best, f"the best for {provider} of those in the package ({', '.join(present)})"
