"""Execution providers and the network session: what was asked for, what was got, why.

ONNX Runtime is imported only when a session is opened.
"""

from __future__ import annotations

from edge_all.session.cores import available_cores
from edge_all.session.inference import InferenceSession, open_session
from edge_all.session.installation import import_onnxruntime, installed_onnxruntimes
from edge_all.session.providers import DEVICES, ProviderPlan, choose_provider

__all__ = [
    "DEVICES",
    "InferenceSession",
    "ProviderPlan",
    "available_cores",
    "choose_provider",
    "import_onnxruntime",
    "installed_onnxruntimes",
    "open_session",
]
