"""The APIs of all stations of a run as one OpenAPI document, https://spec.openapis.org/oas/v3.1.0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def openapi(title: str, documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of a gateway, from the OpenRPC documents of its stations.

    >>> sorted(openapi("x", {})["paths"])
    ['/metrics', '/stations']
    """
    paths: dict[str, Any] = {
        "/stations": {"get": _operation("stations", "List the stations with their counters.", _ANYTHING)},
        "/metrics": {"get": _operation("metrics", "All counters for Prometheus.", {"type": "string"}, "text/plain")},
    }
    schemas: dict[str, Any] = {}
    for station, document in documents.items():
        prefix = f"{station}."
        for name, schema in document["components"]["schemas"].items():
            schemas[f"{prefix}{name}"] = _moved(schema, prefix)
        summary = f"State, metrics and parameters of {station}."
        paths[f"/stations/{station}"] = {"get": _operation(station, summary, _ANYTHING)}
        for method in document["methods"]:
            operation = _operation(
                f"{station}.{method['name']}", method["summary"], _moved(method["result"]["schema"], prefix)
            )
            operation["requestBody"] = {"content": {"application/json": {"schema": _body(method, prefix)}}}
            operation["responses"] |= {
                "409": {"description": "The station refuses, and says why."},
                "422": {"description": "The parameters do not fit."},
                "503": {"description": "It has ended, or did not answer in time."},
            }
            paths[f"/stations/{station}/{method['name']}"] = {"post": operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "security": [{"token": []}],
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


_ANYTHING: dict[str, Any] = {}


def _operation(name: str, summary: str, schema: Any, media: str = "application/json") -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {
            "200": {"description": "The answer.", "content": {media: {"schema": schema}}},
            "401": {"description": "The token is missing or wrong."},
        },
    }


def _body(method: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {one["name"]: _moved(one["schema"], prefix) for one in method["params"]},
        "required": [one["name"] for one in method["params"] if one["required"]],
        "additionalProperties": False,
    }


def _moved(schema: Any, prefix: str) -> Any:
    """Return a schema whose references point to where the schemas of a station are."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/components/schemas/", f"#/components/schemas/{prefix}")
            if key == "$ref" and isinstance(value, str)
            else _moved(value, prefix)
            for key, value in schema.items()
        }
    return [_moved(item, prefix) for item in schema] if isinstance(schema, list) else schema
