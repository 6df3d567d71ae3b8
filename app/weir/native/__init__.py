"""Machine code that is made while Weir runs."""
