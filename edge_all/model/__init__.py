"""The model package: read, verify, describe."""
