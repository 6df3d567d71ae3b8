"""What is generated, and what runs Weir: images, dashboards, rules."""
