"""What the rows of a table are called."""

ROWS = {
    "original": "original",
    "degraded": "degraded",
    "direct": "direct (one step)",
    "naive": "Algorithm 1 (naive)",
    "improved": "Algorithm 2 (improved)",
    "onnx": "Algorithm 2, ONNX Runtime",
    "fixed_noise": "hot, fixed noise",
    "estimated_noise": "hot, estimated noise",
    "perfect_symmetry": "cold, perfect symmetry",
    "broken_symmetry": "cold, broken symmetry",
}
"""Ways to restore images, and to generate them."""
