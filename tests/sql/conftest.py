from tests.sql.databases import client, database

__all__ = ["client", "database"]
