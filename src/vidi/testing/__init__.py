"""What tasks, nets, methods and verbs must hold to, as calls of one's own tests: the conformance kits and the matrix."""

from vidi.testing.matrix import matrix

__all__ = ["matrix"]
