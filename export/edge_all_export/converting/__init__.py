"""A trained network → one ONNX file that answers as Keras does."""
