"""DICOM in and out, beside the pipeline: fields become PNG, and what was found becomes reports and segmentations."""
