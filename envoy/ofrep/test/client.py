"""OpenFeature's SDK for Python against the proxy whose address is the argument."""

import sys

from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext


def same(found, expected, about):
    if found != expected:
        sys.exit(f"{about}: {found!r}, expected {expected!r}")


api.set_provider(OFREPProvider(sys.argv[1], headers_factory=lambda: {"X-API-Key": "change-me"}))
client = api.get_client()
bob = EvaluationContext(targeting_key="bob")

details = client.get_string_details("greeting", "default", bob)
same((details.value, details.variant, details.reason), ("Hello.", "plain", "STATIC"), "a string")
same(client.get_boolean_value("special", True, bob), False, "a boolean")
same(client.get_integer_value("limit", 0, bob), 3, "an integer")
same(client.get_float_value("ratio", 0.0, bob), 0.5, "a float")
same(client.get_object_value("theme", {}, bob), {"colour": "black", "sizes": [1, 2]}, "an object")

insider = EvaluationContext(targeting_key="bob", attributes={"email": "bob@example.com"})
details = client.get_boolean_details("special", False, insider)
same((details.value, details.reason), (True, "TARGETING_MATCH"), "targeting")
same(client.get_integer_value("limit", 0, EvaluationContext(targeting_key="ada")), 1000, "targeting by key")

# This provider takes an answer without a variant for an error, but the default holds all the same.
for flag in ("retired", "undecided"):
    same(client.get_boolean_value(flag, True, bob), True, flag)
    same(client.get_boolean_value(flag, False, bob), False, flag)

for flag, code in (("no-such-flag", "FLAG_NOT_FOUND"), ("broken", "PARSE_ERROR"), ("theme", "TYPE_MISMATCH")):
    details = client.get_boolean_details(flag, True, bob)
    same((details.value, details.error_code and details.error_code.value), (True, code), flag)
