"""Trackers: one file each gives `tracker(*, rate, …) -> Tracker`; what follows tracking (smoothing, counting) lies beside them."""
