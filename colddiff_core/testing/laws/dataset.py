"""Laws of datasets."""
