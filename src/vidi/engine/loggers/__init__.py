"""Loggers: one row per epoch each. JSONL and CSV always; others when asked for."""
