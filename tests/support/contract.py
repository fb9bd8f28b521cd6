"""docs/openapi.yaml against what the daemon answers: every answer must be described there, and what was seen is noted.

Schemas of OpenAPI 3.0 are not quite those of JSON Schema: `nullable` is its own, and what `allOf` puts together may have no
members but those described together, where the test is stricter than the file.
"""
import collections
import functools
import json
import pathlib
import re
import urllib.parse

import jsonschema
import yaml

FILE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"
METHODS = ("get", "post", "put", "patch", "delete")

Operation = collections.namedtuple("Operation", "method path description")


@functools.cache
def document():
    return yaml.load(FILE.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def resolved(node):
    """The node itself, or what it refers to."""
    while "$ref" in node:
        target = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def json_schema(schema):
    """The schema without references, as JSON Schema has it, and closed: members that it does not know are faults."""
    schema = dict(resolved(schema))
    if "allOf" in schema:
        parts = [json_schema(part) for part in schema.pop("allOf")]
        for part in parts:
            for key, value in part.items():
                if key == "properties":
                    schema[key] = schema.get(key, {}) | value
                elif key == "required":
                    schema[key] = schema.get(key, []) + value
                else:
                    schema.setdefault(key, value)
        return schema
    if "oneOf" in schema:
        schema["oneOf"] = [json_schema(part) for part in schema["oneOf"]]
    if "items" in schema:
        schema["items"] = json_schema(schema["items"])
    if "properties" in schema:
        schema["properties"] = {name: json_schema(part) for name, part in schema["properties"].items()}
        schema.setdefault("additionalProperties", False)
    if schema.pop("nullable", False):
        schema["type"] = [schema["type"], "null"]
    return schema


@functools.cache
def operations():
    return [
        Operation(method.upper(), path, item[method])
        for path, item in document()["paths"].items()
        for method in METHODS
        if method in item
    ]


def parameters(operation):
    shared = document()["paths"][operation.path].get("parameters", [])
    return [resolved(each) for each in shared + operation.description.get("parameters", [])]


def example_path(operation):
    """A path of the operation, with the file's examples in it."""
    path = operation.path
    for each in parameters(operation):
        if each["in"] == "path":
            path = path.replace("{" + each["name"] + "}", urllib.parse.quote(each["example"], safe=""))
    return path


def request_content(operation):
    """What the file says of the body; None where there is none."""
    if "requestBody" not in operation.description:
        return None
    return resolved(operation.description["requestBody"])["content"]["application/json"]


def examples(content):
    """The examples of a body."""
    if "example" in content:
        return [content["example"]]
    return [each["value"] for each in content.get("examples", {}).values()]


@functools.cache
def validator(schema_text):
    # Draft 4 is the one whose `exclusiveMinimum` OpenAPI 3.0 has.
    return jsonschema.Draft4Validator(json.loads(schema_text))


def faults(schema, value):
    """What is wrong with the value, in words."""
    found = validator(json.dumps(json_schema(schema))).iter_errors(value)
    return [f"{'/'.join(map(str, each.path))}: {each.message[:300]}" for each in found]


def general():
    """What may be answered whatever the operation, and the statuses that this is for."""
    response = document()["components"]["responses"]["Other"]
    return response, response["x-statuses"]


@functools.cache
def _pattern(path):
    return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)))


def find(method, target):
    """The operation that a request is for; None where the file has none."""
    path = target.partition("?")[0]
    method = "GET" if method == "HEAD" else method
    fitting = [each for each in operations() if each.method == method and _pattern(each.path).fullmatch(path)]
    fitting.sort(key=lambda each: "{" in each.path)  # a path without parameters comes first
    return fitting[0] if fitting else None


class Contract:
    """Checks answers, and knows which of those that the file describes have been seen."""

    def __init__(self):
        self.seen = set()  # (method, path, status); of what every operation may answer, ("any", "any", status)

    def check(self, method, target, sent, status, headers, text):
        """One exchange. `sent` is the request's body in bytes; the headers' names are in lower case."""
        operation = find(method, target)
        response = self._response(operation, method, target, status)
        where = f"{method} {target} -> {status}"
        if status == 405:
            there = {each for each in (*METHODS, "head") if find(each.upper(), target)}
            assert set(headers["allow"].lower().split(", ")) == there, f"{where}: {headers['allow']}"
        for name, header in response.get("headers", {}).items():
            header = resolved(header)
            if not header.get("required"):
                continue
            assert name.lower() in headers, f"{where}: no header {name}"
            value = headers[name.lower()]
            value = int(value) if header["schema"]["type"] == "integer" else value
            assert not (wrong := faults(header["schema"], value)), f"{where}: {name}: {wrong}"
        content = response.get("content", {})
        if not content or method == "HEAD":
            assert not text, f"{where} has a body: {text[:300]}"
            return
        media_type = headers.get("content-type", "").partition(";")[0].strip()
        assert media_type in content, f"{where}: a body of type {media_type!r}"
        if media_type == "application/json":
            wrong = faults(content[media_type]["schema"], json.loads(text))
            assert not wrong, f"{where}: not as described: {wrong}"
        taken = request_content(operation) if operation and status < 300 else None
        if taken:
            wrong = faults(taken["schema"], json.loads(sent))
            assert not wrong, f"{where}: the body was taken, but is not as described: {wrong}"

    def _response(self, operation, method, target, status):
        other, others = general()
        described = resolved(operation.description["responses"].get(str(status), {})) if operation else {}
        if described:
            self.seen.add((operation.method, operation.path, status))
            return described
        if status in others:
            self.seen.add(("any", "any", status))
            return other
        # Of a path or method that is not there, who asks is looked at first.
        assert operation is None and status in (401, 403, 404, 405, 429), f"{method} {target}: status {status} is not described"
        return other

    def unseen(self):
        described = {(each.method, each.path, int(status)) for each in operations()
                     for status in each.description["responses"] if status != "default"}
        described |= {("any", "any", status) for status in general()[1]}
        return sorted(described - self.seen)
