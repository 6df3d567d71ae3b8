"""All input and output, one service a file."""
