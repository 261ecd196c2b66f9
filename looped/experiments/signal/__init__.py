"""Tasks that share a signal: attention alone and the block with an MLP."""
