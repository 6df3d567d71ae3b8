"""Services for a laptop and for tests. Nothing here runs in production."""
