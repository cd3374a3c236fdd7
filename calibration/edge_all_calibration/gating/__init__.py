"""The release gate: figures with their intervals, and the limits within which a variant's decisions must stay."""
