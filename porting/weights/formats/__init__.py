"""The file formats of checkpoints, read without trust in what they hold."""
