"""Anchor boxes: how well they suit a data set, and what of it they would match."""
