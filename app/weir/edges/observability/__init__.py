"""Logs, spans, and the health and metrics pages."""
