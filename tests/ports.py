"""Free ports for servers that tests start, and addresses where nobody answers."""

from weir.edges.embedded.service import free_port

__all__ = ["free_port"]
