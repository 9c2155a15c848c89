"""Holds events of responses, a JSON document a line, to OpenAI's published description, with an outside validator.

MADANG_EVENTS=FILE test_serve --gtest_filter='*OutsideValidator' writes such a file without a server or a model.
Usage: validate_events.py FILE OPENAPI.json
"""
import json
import re
import sys

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


def main(path, openapi):
    document = json.load(open(openapi, encoding="utf-8"))
    registry = Registry().with_resource("openapi:", Resource.from_contents(document, DRAFT202012))
    # Each event against its own schema: against the union of all, a fault would be told in a thousand lines.
    schemas = {}
    for name, schema in document["components"]["schemas"].items():
        kinds = schema.get("properties", {}).get("type", {}).get("enum", []) if re.fullmatch("Response.*Event", name) else []
        if len(kinds) == 1 and kinds[0].startswith("response."):
            schemas[kinds[0]] = Draft202012Validator({"$ref": f"openapi:#/components/schemas/{name}"}, registry=registry)
    checked = faults = 0
    for line in open(path, encoding="utf-8"):
        event = json.loads(line)
        checked += 1
        problems = list(schemas[event["type"]].iter_errors(event)) if event["type"] in schemas else ["unknown event"]
        for problem in problems[:3]:
            faults += 1
            place = getattr(problem, "json_path", "")
            print(f"{event['type']}: {place}: {str(problem)[:400]}", file=sys.stderr)
    print(f"{checked} events held to the description, {faults} faults")
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
