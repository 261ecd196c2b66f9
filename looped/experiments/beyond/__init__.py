"""Beyond gradient descent in a loop: appended tokens, more loops than trained, EAGLE and its rivals, depth."""
