"""Contracts: the folder that declares them and the registry that serves them."""
