"""The nouns. Standard library, numpy and pyarrow only; imports nothing of Weir's outside this package."""
