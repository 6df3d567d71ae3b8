"""What speaks HTTP: the embedded ClickHouse and the local schema registry. Any request gets an answer, and not a 500 of
the program's own making."""
