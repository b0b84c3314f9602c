"""What stands between a file of unknown origin and ONNX Runtime; imports neither onnx nor numpy.

`message` reads the file, `content` refuses what no export holds, `operators` knows what exports are
made of, `trip_count` bounds the loop, `division` refuses what stops a processor, `digest` tells
whether a byte was changed, and `signature` compares what the metadata says with what the graph
takes and gives.
"""
