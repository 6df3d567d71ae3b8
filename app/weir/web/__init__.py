"""Pages for people, served over HTTP on this machine."""
