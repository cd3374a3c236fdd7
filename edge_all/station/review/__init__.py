"""What a person decides about the cells of a slide: gestures, what is in force of them, counts, verdict, signature."""
