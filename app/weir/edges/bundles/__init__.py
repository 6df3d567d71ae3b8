"""Model bundles: specification, folder, checks, and the ONNX model in it."""
