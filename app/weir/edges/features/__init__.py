"""Features: plans from Feast's registry, the columnar read, and the two stores that Feast is given."""

from weir.edges.observability import process_metrics

process_metrics.keep_in_memory()  # before any of its modules imports Feast
