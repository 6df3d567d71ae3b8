"""Models that learn from outcomes, one after the other: what they know, what they answer, and when they stop."""
