"""The programs run in environments of their own; nothing here can import them."""

collect_ignore_glob = ["common/*", "*/program.py"]
