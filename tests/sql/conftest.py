from tests.databases import client, database
from tests.sql.days import day

__all__ = ["client", "database", "day"]
