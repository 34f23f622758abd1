"""Converting a checkpoint: read, change and write one tensor after the other, whole or not at all."""
