"""All input and output, one folder a service."""
