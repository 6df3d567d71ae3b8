"""Dashboards of Grafana, made of the same files as monitors and the console."""
