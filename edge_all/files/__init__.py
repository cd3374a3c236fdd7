"""How files and folders appear: whole or not at all, under one owner, and under which names."""
