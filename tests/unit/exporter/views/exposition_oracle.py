"""Holds renderings against the reference parsers of the Prometheus Python client.

Standard input is a JSON list of cases {"text": ..., "openmetrics": ..., "numbers": [[name, labels, value], ...]}: the
same families in both formats. Each must parse, both must yield the same samples in the same families, and among them
every one of "numbers". Prints the number of samples compared; a failure is an
uncaught exception.
"""
import json
import math
import sys

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as text


def canonical_labels(labels):
    # The bound of a bucket is a number whose spelling differs between the formats.
    return tuple(sorted((k, float(v) if k in ("le", "quantile") else v) for k, v in labels.items()))


def canonical_value(value):
    value = float(value)
    return "NaN" if math.isnan(value) else value


def samples(families):
    found = {}
    for family in families:
        kind = "unknown" if family.type == "untyped" else family.type
        for sample in family.samples:
            key = (family.name, kind, family.documentation, sample.name, canonical_labels(sample.labels))
            assert key not in found, f"twice: {key}"
            found[key] = canonical_value(sample.value)
    return found


compared = 0
for number, case in enumerate(json.load(sys.stdin)):
    try:
        from_text = samples(text.text_string_to_metric_families(case["text"]))
        from_openmetrics = samples(openmetrics.text_string_to_metric_families(case["openmetrics"]))
        assert from_text == from_openmetrics, sorted(set(from_text.items()) ^ set(from_openmetrics.items()))
        found = {(key[3], key[4]): value for key, value in from_text.items()}
        for name, labels, value in case["numbers"]:
            got = found[(name, canonical_labels(labels))]
            assert got == canonical_value(value), (name, labels, value, got)
    except Exception:
        print(f"case {number}:\n{case['text']}\n----\n{case['openmetrics']}", file=sys.stderr)
        raise
    compared += len(from_text)
print(compared)
