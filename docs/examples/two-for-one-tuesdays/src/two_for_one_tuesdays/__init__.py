"""On Tuesdays every second ticket is free: a price rule, and the block that tells of it and switches it on."""
