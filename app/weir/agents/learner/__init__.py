"""The learner worker: it learns from outcomes as they come."""
