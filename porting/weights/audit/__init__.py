"""Whether a live model holds what its checkpoint and the rules say, in every tensor."""
