"""The document of a server's API: OpenRPC 1.3.2, https://spec.open-rpc.org; enough to make a client from.

What methods take and give comes from type hints; what ``set`` takes and ``parameters`` gives, from what the operator
says of its parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from streamsim.real.control.rpc import FAILED, INVALID_PARAMETERS, REFUSED

if TYPE_CHECKING:
    from streamsim.formats.parameters import Parameter
    from streamsim.real.control.api import Method

VERSION = "1"
"""Of the common methods."""

_ERRORS = {
    "InvalidParams": {"code": INVALID_PARAMETERS, "message": "The parameters do not fit; the message says why."},
    "Refused": {"code": REFUSED, "message": "It cannot be done now, or here; the message says why."},
    "Failed": {"code": FAILED, "message": "A fault of the method itself."},
}
_REFERENCE = "#/components/schemas/{name}"


def document(title: str, about: str, methods: Sequence[Method]) -> dict[str, Any]:
    """Return the document of these methods."""
    types = [*(method.takes for method in methods), *(method.returns for method in methods)]
    shapes, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    described = []
    for place, method in enumerate(methods):
        shape = components.pop(method.takes.__name__)
        described.append(
            {
                "name": method.name,
                "summary": method.doc.partition("\n")[0],
                "description": method.doc,
                "paramStructure": "by-name" if method.rest else "either",
                "params": [_parameter(name, schema, shape) for name, schema in shape["properties"].items()],
                "result": {"name": "result", "schema": shapes[len(methods) + place]},
                "errors": [{"$ref": f"#/components/errors/{name}"} for name in _ERRORS],
            }
        )
    return {
        "openrpc": "1.3.2",
        "info": {"title": title, "description": about, "version": VERSION},
        "methods": described,
        "components": {"schemas": components, "errors": _ERRORS},
    }


def _parameter(name: str, schema: dict[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    """Return what the document calls a content descriptor."""
    about = {"description": schema["description"]} if "description" in schema else {}
    return {"name": name, **about, "required": name in shape.get("required", ()), "schema": schema}


def settings(parameters: Iterable[Parameter]) -> type[msgspec.Struct]:
    """Return what ``set`` takes: any of these parameters, as a scenario writes them.

    >>> from streamsim import operators
    >>> shape = msgspec.json.schema(settings(operators.find("sample").parameters))
    >>> sorted(shape["$defs"]["set_parameters"]["properties"]["every"].items())
    [('description', 'keep the records n, 2n, 3n, …: a whole number, at least 1'), ('minimum', 1), ('type', 'integer')]
    """
    fields = []
    for one in parameters:
        about = msgspec.Meta(description=f"{one.doc}: {one.takes}")
        fields.append((one.name, Annotated[_taken_by(one), about] | msgspec.UnsetType, msgspec.UNSET))
    return msgspec.defstruct("set_parameters", fields)


def values(parameters: Iterable[Parameter]) -> type[msgspec.Struct]:
    """Return what an operator answers that is asked for its parameters."""
    return msgspec.defstruct("Parameters", [(one.name, _value_of(one)) for one in parameters])


def _taken_by(one: Parameter) -> Any:
    """Return the type of a parameter in a request."""
    if one.choices:
        return Literal[one.choices]
    bounds = msgspec.Meta(ge=one.least, le=one.most)
    return {
        "integer": Annotated[int, bounds],
        "number": Annotated[float, bounds],
        "text": str,
        "texts": list[str] | str,
        "delimiter": Annotated[str, msgspec.Meta(min_length=1)],
        "flag": bool,
        "seconds": Annotated[float, bounds] | str,
        "bytes": Annotated[int, bounds] | str,
        "format": str | dict[str, Any],
    }[one.type]


def _value_of(one: Parameter) -> Any:
    """Return the type of a parameter in an answer: durations are numbers of seconds, sizes of bytes."""
    kind = {"seconds": float, "bytes": int, "texts": list[str]}.get(one.type) or _taken_by(one)
    return kind if one.required or one.default is not None else kind | None
