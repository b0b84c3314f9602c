"""Build ONNX graphs: trace the parts, join them to a step, put the step into a loop."""
