"""What a loop can be made to do: gradient descent and its relatives, built from attention weights."""
