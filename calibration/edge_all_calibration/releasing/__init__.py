"""From one FP32 network and labelled cells to a published model package."""
