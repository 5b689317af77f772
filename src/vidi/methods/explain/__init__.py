"""Ways to see why a net answers as it does: a number for each pixel, and how far to trust it."""
