from tests.databases import client, database

__all__ = ["client", "database"]
