"""What a network file asks for before ONNX Runtime sees it: other files, and loops that need not end.

ONNX Runtime computes constant parts of a network while it opens it, so an endless loop would never give control back.
Only the few fields of ``onnx.proto`` that matter are read, in protobuf's wire format; weights are stepped over.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["structure_problem"]

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_FUNCTION_NODE = 7
_NODE_OPERATOR, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_SPARSE_VALUES, _SPARSE_INDICES = 1, 2
_TENSOR_EXTERNAL_DATA, _TENSOR_DATA_LOCATION = 13, 14

_UNBOUNDED = {b"Loop", b"Scan"}
_EXTERNAL = "a part of its weights lies in another file, which no hash covers"
_DEEPEST = 32
"""Graphs within graphs; InceptionV3 has one."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def structure_problem(network: bytes) -> str | None:
    """Why a network is not even opened; None where nothing speaks against it, or it is no network at all.

    Args:
        network: content of an ONNX file.
    """
    try:
        for field, value in _fields(memoryview(network)):
            if field == _MODEL_GRAPH:
                problem = _graph_problem(value, 0)
            elif field == _MODEL_FUNCTIONS:
                problem = _nodes_problem((node for f, node in _fields(value) if f == _FUNCTION_NODE), 0)
            else:
                continue
            if problem is not None:
                return problem
    except (ValueError, IndexError):
        return None  # no protobuf: ONNX Runtime says so in its own words
    return None


def _graph_problem(graph: memoryview, depth: int) -> str | None:
    if depth > _DEEPEST:
        return "its graphs are nested too deeply"
    nodes, tensors = [], []
    for field, value in _fields(graph):
        if field == _GRAPH_NODE:
            nodes.append(value)
        elif field == _GRAPH_INITIALIZER:
            tensors.append(value)
        elif field == _GRAPH_SPARSE:
            tensors += [tensor for f, tensor in _fields(value) if f in (_SPARSE_VALUES, _SPARSE_INDICES)]
    if any(map(_is_external, tensors)):
        return _EXTERNAL
    return _nodes_problem(iter(nodes), depth)


def _nodes_problem(nodes: Iterator[memoryview], depth: int) -> str | None:
    for node in nodes:
        for field, value in _fields(node):
            if field == _NODE_OPERATOR and bytes(value) in _UNBOUNDED:
                return f"it has a {bytes(value).decode()}, which need not end"
            if field == _NODE_ATTRIBUTE:
                problem = _attribute_problem(value, depth)
                if problem is not None:
                    return problem
    return None


def _attribute_problem(attribute: memoryview, depth: int) -> str | None:
    for field, value in _fields(attribute):
        if field in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS) and _is_external(value):
            return _EXTERNAL
        if field in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
            problem = _graph_problem(value, depth + 1)
            if problem is not None:
                return problem
    return None


def _is_external(tensor: memoryview) -> bool:
    return any(
        field == _TENSOR_EXTERNAL_DATA or (field == _TENSOR_DATA_LOCATION and bytes(value) != b"\0")
        for field, value in _fields(tensor)
    )


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each field of a message; of a varint its bytes.

    Raises:
        ValueError, IndexError: it is no protobuf message.
    """
    at, whole = 0, len(message)
    while at < whole:
        # Most numbers take one byte; the call for those would take half of the time.
        key = message[at]
        key, at = (key, at + 1) if key < 0x80 else _varint(message, at)
        kind = key & 7
        if kind == _BYTES:
            length = message[at]
            length, at = (length, at + 1) if length < 0x80 else _varint(message, at)
            end = at + length
        elif kind == _VARINT:
            end = _varint(message, at)[1]
        elif kind in (_FIXED64, _FIXED32):
            end = at + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"wire type {kind}")
        if end > whole:
            raise ValueError("a field reaches beyond its message")
        yield key >> 3, message[at:end]
        at = end


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
