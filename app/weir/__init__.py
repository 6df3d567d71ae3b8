"""Weir: stream scoring and monitoring for machine-learning models."""
