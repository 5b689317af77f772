"""Ways to make a model harder to mislead. A file is a method: ``defense(**settings) -> Defense``."""
