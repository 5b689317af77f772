"""Augmentations, one per file; the file's name is the name in a recipe.

`vidi.augmentations._pipeline` reads recipe entries and applies a list of augmentations to a batch.
"""
