"""Holds a tape of recorded exchanges to OpenAI's published description, with an outside validator.

Every answer of every path that OpenAI describes, every chunk of every stream, and every error. Prints what was
checked; exit 1 if anything does not fit.
Usage: validate.py TAPE OPENAPI.json
"""
import collections
import json
import re
import sys

from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

STREAMS = {
    "/chat/completions": "CreateChatCompletionStreamResponse",
    "/completions": "CreateCompletionResponse",
    "/responses": "ResponseStreamEvent",
}
# Anthropic's and our own paths: not OpenAI's to describe.
OURS = re.compile(r"^/(v1/messages|tokenize|detokenize|apply-template|health|ready|metrics|status|openapi\.json)")


def with_null(schema):
    """The description calls itself OpenAPI 3.1 and writes `nullable: true`, 3.0's word for what 3.1 says as a type."""
    if isinstance(schema, list):
        return [with_null(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: with_null(value) for key, value in schema.items()}
    if schema.get("nullable") is True:
        schema.pop("nullable")
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


class Description:
    def __init__(self, path):
        self.document = with_null(json.load(open(path, encoding="utf-8")))
        self.registry = Registry().with_resource("urn:openai", Resource.from_contents(self.document, DRAFT202012))
        self.validators = {}

    def validator(self, pointer):
        if pointer not in self.validators:
            self.validators[pointer] = OAS31Validator({"$ref": "urn:openai#" + pointer}, registry=self.registry)
        return self.validators[pointer]

    def template_of(self, path):
        """The described path that a real one follows: /files/file-1/content is /files/{file_id}/content."""
        for template in sorted(self.document["paths"], key=lambda t: t.count("{")):
            if re.fullmatch(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(template)), path):
                return template
        return None

    def answer_pointer(self, template, method):
        operation = self.document["paths"][template].get(method.lower())
        if operation is None:
            return None
        schema = operation["responses"].get("200", {}).get("content", {}).get("application/json")
        if schema is None:
            return None
        escaped = template.replace("~", "~0").replace("/", "~1")
        return f"/paths/{escaped}/{method.lower()}/responses/200/content/application~1json/schema"


def known_gap(where, problem, sent):
    """Where OpenAI's own server answers otherwise than its description says, and clients expect what the server does."""
    place = problem.json_path
    if where == "/v1/completions (stream)" and place.endswith(".finish_reason") and problem.instance is None:
        return True  # null until the last chunk
    if where.startswith(("POST /completions", "/v1/completions")) and place.endswith(".logprobs") and '"echo":' in sent:
        told = problem.instance  # nothing foretells the first token of a prompt: null, where the description has numbers
        return told["token_logprobs"][0] is None and told["top_logprobs"][0] is None \
            and all(isinstance(value, (int, float)) for value in told["token_logprobs"][1:]) \
            and all(isinstance(top, dict) for top in told["top_logprobs"][1:])
    return where == "POST /embeddings" and place.endswith(".embedding") and '"base64"' in sent  # a text, not numbers


def events(stream):
    for block in stream.split("\n\n"):
        data = [line[5:].lstrip() for line in block.split("\n") if line.startswith("data:")]
        if data and "\n".join(data) != "[DONE]":
            yield "\n".join(data)


def documents_of(entry, description):
    """(where, pointer, text of one JSON document) for all that the description speaks of."""
    path = entry["path"].split("?")[0]
    if OURS.match(path) or not path.startswith("/v1/"):
        return
    template = description.template_of(path[3:])
    if entry["status"] >= 400:
        yield f"{path} {entry['status']}", "/components/schemas/ErrorResponse", entry["got"]
    elif entry["type"].startswith("text/event-stream"):
        schema = STREAMS[template]
        for event in events(entry["got"]):
            pointer = "/components/schemas/ErrorResponse" if event.startswith('{"error"') else f"/components/schemas/{schema}"
            yield f"{path} (stream)", pointer, event
    elif template and entry["type"].startswith("application/json"):
        pointer = description.answer_pointer(template, entry["method"])
        if pointer:
            yield f"{entry['method']} {template}", pointer, entry["got"]


def main(tape, openapi):
    description = Description(openapi)
    checked, faults = collections.Counter(), 0
    for line in open(tape, encoding="utf-8"):
        entry = json.loads(line)
        for where, pointer, text in documents_of(entry, description):
            checked[where.split(" 4")[0]] += 1
            if text.strip() == "" and where.endswith("(stream)"):
                continue
            try:
                document = json.loads(text)
            except json.JSONDecodeError as fault:
                document, problems = None, [fault]
            else:
                problems = [p for p in description.validator(pointer).iter_errors(document)
                            if not known_gap(where, p, entry["sent"])]
            for problem in problems[:3]:
                faults += 1
                if faults < 40:
                    place = getattr(problem, "json_path", "")
                    print(f"{where}: {place}: {str(problem)[:600]}\n  in {text[:300]}", file=sys.stderr)
    for where, count in sorted(checked.items()):
        print(f"{count:6} {where}")
    print(f"{sum(checked.values())} documents held to the description, {faults} faults")
    return 1 if faults or not checked else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
