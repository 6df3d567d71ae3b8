"""The flights demo: real data, training, replay, report."""
