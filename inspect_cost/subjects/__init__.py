"""What a user names: a preset of the zoo, a model of their own, an ONNX file."""
