"""Google's own description of its APIs, as JSON schemas, offline: `python -m tests.deploy.google`.

google-api-python-client carries the discovery documents. The command checks YAML from standard
input against Cloud Run's v1 `Service`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import yaml

ANNOTATION = re.compile(r"\* `([\w./-]+)`: ([A-Za-z, ]+)[.,]")


def faults(api: str, kind: str, instance: object) -> list[str]:
    """What Google's API would not take, such as `run.v1`, `Service`; empty where it is sound."""
    schema = {"$ref": f"#/$defs/{kind}", "$defs": schemas(api)}
    found = jsonschema_rs.validator_for(schema).iter_errors(instance)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message}" for error in found]


def service_faults(service: Any) -> list[str]:  # noqa: ANN401 - any YAML
    found = faults("run.v1", "Service", service)
    if found:
        return found
    template = service["spec"]["template"]
    return [*unknown("Service", service), *unknown("Revision", template)]


def unknown(kind: str, thing: dict[str, Any]) -> Iterator[str]:
    """Annotations that Cloud Run documents for other kinds only, or not at all."""
    text = schemas("run.v1")["ObjectMeta"]["properties"]["annotations"]["description"]
    kinds = {name: kinds.split(", ") for name, kinds in ANNOTATION.findall(text)}
    for name in thing["metadata"].get("annotations", {}):
        if kind not in kinds.get(name, []):
            yield f"{name} is no annotation of a {kind}"


@cache
def schemas(api: str) -> dict[str, Any]:
    document = files("googleapiclient") / "discovery_cache" / "documents" / f"{api}.json"
    found: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))["schemas"]
    return {name: strict(schema) for name, schema in found.items()}


def strict(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """A discovery schema as a JSON schema that takes no property it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    done = {name: strict(value) for name, value in schema.items() if name != "enumDescriptions"}
    if isinstance(done.get("$ref"), str):
        return {"$ref": f"#/$defs/{done['$ref']}"}
    if done.get("type") == "any":
        del done["type"]
    if done.get("format") in ("int64", "uint64"):  # text in JSON, a number in YAML
        done["type"] = ["string", "integer"]
    if done.get("type") == "object":
        done.setdefault("additionalProperties", False)
    return done


if __name__ == "__main__":
    if wrong := service_faults(yaml.safe_load(sys.stdin)):
        sys.exit("\n".join(wrong))
