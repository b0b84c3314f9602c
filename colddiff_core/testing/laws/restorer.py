"""Laws of restorers."""
