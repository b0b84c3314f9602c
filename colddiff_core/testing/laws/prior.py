"""Laws of priors."""
