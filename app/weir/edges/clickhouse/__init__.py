"""ClickHouse: the client, SQL files, migrations, and what each table is written and read by."""
