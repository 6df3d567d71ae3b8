"""What is recorded: decoded columns to table columns, in announced blocks. Pure; ClickHouse comes as an argument."""
