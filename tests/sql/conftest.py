from tests.sql.databases import client, database, databases

__all__ = ["client", "database", "databases"]
