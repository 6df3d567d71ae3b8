from weir.edges.observability import process_metrics

process_metrics.keep_in_memory()  # before any of its modules imports Feast
