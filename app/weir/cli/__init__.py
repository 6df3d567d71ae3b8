"""The `weir` command: parses, calls, exits. Each module is one command group and imports what it needs when called."""
