"""Laws of exporters."""
