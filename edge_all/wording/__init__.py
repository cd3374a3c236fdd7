"""How values are written wherever people read them."""
