"""Tree ensembles as data, and the vector kernel that scores them."""
