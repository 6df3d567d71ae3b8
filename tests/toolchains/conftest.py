"""What runs in other environments is no module of these tests."""

collect_ignore_glob = ["export/*"]
