"""What a classifier is measured by, and how sure each figure is: one definition for fitting, gate and evaluation."""
