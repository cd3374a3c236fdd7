"""Runs into a folder: claim it, resume what it holds, write what was found."""
