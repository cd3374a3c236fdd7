"""Writers: each a function of results alone."""
