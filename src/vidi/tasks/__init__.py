"""One task per file: its label family, metrics, default net and toy data. No network code."""
