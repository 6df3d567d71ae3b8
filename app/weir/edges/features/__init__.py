"""Features: plans from Feast's registry, the columnar read, and the two stores that Feast is given."""
