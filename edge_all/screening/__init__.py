"""The pipeline: fields and single cells go in, judged ones come out. The one place where the stages meet."""
