"""Stresses for the robustness card, one file each: ``FAMILY``, ``MEANING``, ``REMEDY`` (recipe entries that train for it) and ``levels()``, its
five severities as augmentations with pinned settings.

`vidi.methods.stress._choose` picks some; `vidi.methods.stress._card` makes the card.
"""
