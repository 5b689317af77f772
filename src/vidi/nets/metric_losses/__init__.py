"""Losses that compare embedding vectors: one file each, with a function `loss(dim, classes, **settings)`."""
