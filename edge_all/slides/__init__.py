"""The fields of a slide taken together: its verdict, and whether that is settled before the last field."""
