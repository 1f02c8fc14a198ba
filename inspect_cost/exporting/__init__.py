"""PyTorch models as ONNX files, verified."""
