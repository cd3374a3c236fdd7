"""The smear renderer: synthetic fields with exact masks and labels."""
