"""Which cells train and which are held out, and whether anything stands on both sides."""
