"""The training side of edge-all: data sets, InceptionV3 fine-tuning, evaluation and ONNX export."""
