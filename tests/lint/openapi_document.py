#!/usr/bin/env python3
"""docs/openapi.yaml is an OpenAPI document, and what it refers to and shows is right."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import jsonschema

import contract

OPENAPI_SCHEMA = pathlib.Path("/usr/share/openapi-specification/schemas/v3.0/schema.json")


def nodes(node, where=""):
    """Every object of the document, with its place."""
    if isinstance(node, dict):
        yield where, node
        for name, each in node.items():
            yield from nodes(each, f"{where}/{name}")
    elif isinstance(node, list):
        for number, each in enumerate(node):
            yield from nodes(each, f"{where}/{number}")


class OpenApiDocument(unittest.TestCase):
    def test_it_is_what_the_specification_says(self):
        schema = json.loads(OPENAPI_SCHEMA.read_text(encoding="utf-8"))
        found = jsonschema.Draft4Validator(schema).iter_errors(contract.document())
        self.assertEqual([f"{'/'.join(map(str, each.path))}: {each.message[:200]}" for each in found], [])

    def test_every_reference_leads_somewhere_and_every_component_is_used(self):
        used = {node["$ref"] for _, node in nodes(contract.document()) if "$ref" in node}
        for reference in used:
            contract.resolved({"$ref": reference})
        components = contract.document()["components"]
        there = {f"#/components/{kind}/{name}" for kind in components if kind != "securitySchemes" for name in components[kind]}
        self.assertEqual(there - used, set())

    def test_operations_have_what_a_generator_needs(self):
        names = [each.description["operationId"] for each in contract.operations()]
        self.assertEqual(len(names), len(set(names)))
        tags = {each["name"] for each in contract.document()["tags"]}
        for operation in contract.operations():
            with self.subTest(operation=operation.description["operationId"]):
                self.assertTrue(operation.description["summary"])
                self.assertLessEqual(set(operation.description["tags"]), tags)
                self.assertNotIn("{", contract.example_path(operation), "every parameter of the path is described")
                needs_token = operation.description.get("security") != []
                self.assertEqual(needs_token, operation.path.startswith("/api/"))
                self.assertEqual(needs_token, "admin" in operation.description.get("x-roles", []))
                self.assertIn("default", operation.description["responses"])

    def test_every_example_is_as_described(self):
        seen = 0
        for where, node in nodes(contract.document()):
            if "/schemas/" in where or "schema" not in node:
                continue
            for example in contract.examples(node):
                seen += 1
                self.assertEqual(contract.faults(node["schema"], example), [], where)
        self.assertGreater(seen, 50)

    def test_a_document_that_says_something_else_is_found_out(self):
        """The judge itself: a member too many, one that is missing, a status, a type."""
        judge = contract.Contract()
        head = {"content-type": "application/json"}

        def answer(status=200, text='{"status":"ok","db":"up"}', headers=head, path="/healthz"):
            judge.check("GET", path, None, status, headers, text)

        answer()
        self.assertEqual(judge.seen, {("GET", "/healthz", 200)})
        for wrong in (
            {"text": '{"status":"ok"}'},
            {"text": '{"status":"ok","db":"up","more":1}'},
            {"text": '{"status":"ok","db":"away"}'},
            {"status": 201},
            {"status": 404, "text": '{"name":"","error":"x"}'},
            {"headers": {"content-type": "text/plain"}},
            {"status": 503, "text": '{"name":"","error":"x"}', "path": "/readyz"},  # no Retry-After
            {"status": 404, "text": '{"error":"x"}', "path": "/api/v1/nothing"},
            {"path": "/api/v1/nothing"},
        ):
            with self.subTest(**wrong), self.assertRaises(AssertionError):
                answer(**wrong)


if __name__ == "__main__":
    unittest.main()
