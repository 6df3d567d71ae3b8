"""Pages: a module for each kind, with a function `routes` that says its addresses."""
