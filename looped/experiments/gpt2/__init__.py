"""A real GPT-2, with and without its MLP sub-layers, on tasks that share a signal."""
