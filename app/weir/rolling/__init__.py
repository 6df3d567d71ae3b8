"""Events -> rolling statistics per entity, by the clock hour. Pure numpy: imports core only."""
