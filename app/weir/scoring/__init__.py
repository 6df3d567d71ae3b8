"""Columns in, predictions out. Pure: what it needs comes as an argument."""
