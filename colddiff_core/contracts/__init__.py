"""What each kind of part promises; at the bottom, it imports nothing else of the core."""
