"""What stands between a file of unknown origin and ONNX Runtime; imports neither onnx nor numpy.

`wire` reads the protobuf encoding, `model` collects what a file declares and refuses what no
export holds, `loop` bounds the trip count, `digest` tells whether a byte was changed, and
`signature` compares what the metadata says with what the graph takes and gives.
"""
