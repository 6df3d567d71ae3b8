"""Monitors: figures of windows, whether they are worth an alarm, and what becomes of alerts. Pure."""
