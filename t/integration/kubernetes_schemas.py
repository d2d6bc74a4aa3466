# SPDX-License-Identifier: Apache-2.0
"""The API's own description of its documents, as the Python client of Kubernetes has it."""

import yaml

GROUPS = {"v1": "V1", "apps/v1": "V1", "policy/v1": "V1", "networking.k8s.io/v1": "V1",
          "rbac.authorization.k8s.io/v1": "V1", "coordination.k8s.io/v1": "V1"}
PLAIN = {"str": str, "int": int, "bool": bool, "object": object}


def documents(text):
    return [d for d in yaml.safe_load_all(text) if d is not None]


def wrong(kubernetes, kind, value, at):
    """What does not fit the API's own description: fields that it does not know, types, what is missing."""
    if kind.startswith("list["):
        if not isinstance(value, list):
            return [f"{at} is no list"]
        return [w for i, v in enumerate(value) for w in wrong(kubernetes, kind[5:-1], v, f"{at}[{i}]")]
    if kind.startswith("dict("):
        if not isinstance(value, dict):
            return [f"{at} is no object"]
        inner = kind[5:-1].split(", ", 1)[1]
        return [w for k, v in value.items() for w in wrong(kubernetes, inner, v, f"{at}.{k}")]
    if kind in PLAIN:
        fits = isinstance(value, PLAIN[kind]) and not (kind == "int" and isinstance(value, bool))
        return [] if fits else [f"{at} is no {kind}: {value!r}"]
    model = getattr(kubernetes.client, kind, None)
    if model is None:
        return []  # a date, or a number with its unit
    if not isinstance(value, dict):
        return [f"{at} is no {kind}"]
    names = {json: python for python, json in model.attribute_map.items()}
    out = [f"{at} has no field {name}" for name in value if name not in names]
    if not out:
        try:
            model(**{names[name]: v for name, v in value.items()})
        except ValueError as error:
            out.append(f"{at}: {error}")
    return out + [w for name, v in value.items() if name in names
                  for w in wrong(kubernetes, model.openapi_types[names[name]], v, f"{at}.{name}")]


def misfits(kubernetes, document):
    kind = GROUPS[document["apiVersion"]] + document["kind"]
    assert hasattr(kubernetes.client, kind), kind
    return wrong(kubernetes, kind, document, document["kind"])
