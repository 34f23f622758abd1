"""Proposing the rules: which checkpoint tensor becomes which of the port, and on what evidence."""
