"""The whole command line, as `weir --help` has it."""

from __future__ import annotations

from weir.__main__ import command_line

cli = command_line()
