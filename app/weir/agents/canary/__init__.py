"""The canary: compares two readings of the same features."""
