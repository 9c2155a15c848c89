#!/usr/bin/env python3
"""Expected answers for tests/text/chat_template_test.cpp, from Jinja2 itself.

usage: jinja_cases.py > ../data/jinja_cases.jsonl     (needs jinja2 3.1.6)

jinja_snippets.txt holds one template a line (⏎ stands for a line break in it). Each is rendered without variables in an environment with the rules of
chat templates: immutable sandbox, trim_blocks, lstrip_blocks, break and continue, {% generation %}, raise_exception,
strftime_now (at 2026-03-09T14:05:06), tojson without HTML escapes, namespaces without underscores.
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2 import ext, nodes, sandbox, utils

NOW = datetime.datetime(2026, 3, 9, 14, 5, 6)


class Generation(ext.Extension):
    """{% generation %}: a call block whose caller is called at once."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return nodes.CallBlock(self.call_method("run"), [], [], body).set_lineno(line)

    def run(self, caller):
        return caller()


class Namespace(utils.Namespace):
    def __init__(*args, **kwargs):
        self, rest = args[0], args[1:]
        utils.Namespace.__init__(self)
        for name, value in dict(*rest, **kwargs).items():
            self[name] = value

    def __setitem__(self, name, value):
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"{name!r} begins with an underscore")
        utils.Namespace.__setitem__(self, name, value)


class Dict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args):
        return dict.fromkeys(*args)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals.update(
        raise_exception=raise_exception,
        strftime_now=lambda format: NOW.strftime(format),
        dict=Dict(),
        namespace=Namespace,
    )
    return env


def answer(env, template):
    try:
        return {"text": env.from_string(template).render()}
    except Exception as fault:
        raised = type(fault) is jinja2.exceptions.TemplateError
        return {"error": str(fault), "type": "raised" if raised else type(fault).__name__}


def main():
    env = environment()
    snippets = pathlib.Path(__file__).with_name("jinja_snippets.txt").read_text(encoding="utf-8")
    for template in filter(None, snippets.split("\n")):
        template = template.replace("⏎", "\n")
        case = {"template": template, **answer(env, template)}
        if " at 0x" not in case.get("text", ""):  # the address of a Python object
            print(json.dumps(case, ensure_ascii=False))
    print(f"jinja2 {jinja2.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
