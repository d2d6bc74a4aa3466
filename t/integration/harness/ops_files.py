# SPDX-License-Identifier: Apache-2.0
"""Reads the files of ops/: authentik's blueprint with its tags, provider blocks as directives."""

import re

import yaml

from .nginx import ROOT

OPS = ROOT / "ops"
CRM, AUTH = "https://crm.example.com", "https://auth.example.com"


class Tag:
    def __init__(self, name, value):
        self.name, self.value = name, value


class Blueprint(yaml.SafeLoader):
    """YAML with authentik's tags; an unknown one is an error."""

    TAGS = {"Context", "Find", "File", "Format", "KeyOf"}


def construct_tag(loader, name, node):
    if name not in Blueprint.TAGS:
        raise yaml.constructor.ConstructorError(None, None, f"unknown tag !{name}", node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return Tag(name, node.value)
    return Tag(name, loader.construct_sequence(node, deep=True))


Blueprint.add_multi_constructor("!", construct_tag)


def resolve(value, context):
    """What authentik makes of !Context and !Format; other tags stay."""
    if isinstance(value, Tag) and value.name == "Context":
        return context[value.value]
    if isinstance(value, Tag) and value.name == "Format":
        text, *rest = [resolve(v, context) for v in value.value]
        return text % tuple(rest)
    if isinstance(value, list):
        return [resolve(v, context) for v in value]
    if isinstance(value, dict):
        return {k: resolve(v, context) for k, v in value.items()}
    return value


def text_of(path):
    return (OPS / path).read_text(encoding="utf-8")


def blueprint():
    document = yaml.load(text_of("authentik/blueprint.yaml"), Blueprint)
    return resolve(document, document["context"])


def entry(model):
    found = [e for e in blueprint()["entries"] if e["model"] == model]
    assert len(found) == 1, model
    return found[0]


def block_of(text):
    """The oidc_provider block, braces included."""
    start = text.index("oidc_provider espocrm {")
    return text[start:text.index("\n}", start) + 2]


def directives_of(text):
    """{name: rest} of a provider block, `include espocrm/provider.conf` expanded."""
    body = re.sub(r"#.*", "", block_of(text).split("{", 1)[1].rsplit("}", 1)[0])
    out = {}
    for statement in filter(None, (" ".join(s.split()) for s in body.split(";"))):
        name, _, rest = statement.partition(" ")
        if name == "include":
            assert rest == "espocrm/provider.conf", rest
            common = text_of("nginx/espocrm/provider.conf")
            more = directives_of("oidc_provider espocrm {\n" + common + "\n}")
            assert not set(more) & set(out), "a directive twice"
            out |= more
        else:
            assert name not in out, f"{name} twice"
            out[name] = rest
    return out


def provider_conf(name):
    return directives_of(text_of(f"{name}/nginx-provider.conf"))
