"""How images arrive: folders that are watched, the queue in which they wait, and the judging."""
