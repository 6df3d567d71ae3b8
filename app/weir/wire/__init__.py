"""Bytes to columns and back. Pure: no sockets, no clock, no environment."""
