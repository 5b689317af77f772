"""Changes of pictures, small or bounded otherwise, that mislead a net. A file is a method: ``attack(**settings) -> Attack``."""
