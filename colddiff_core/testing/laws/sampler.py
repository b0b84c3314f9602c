"""Laws of samplers."""
