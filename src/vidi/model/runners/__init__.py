"""Runners of a model's net: the same call, the same keys, whatever runs it."""
