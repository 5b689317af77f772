"""Test-time adaptation: a net made to fit new conditions by unlabeled pictures of them. A file is a method: ``adapter(**settings) -> Adapter``."""
