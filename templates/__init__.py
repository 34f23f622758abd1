"""Jinja templates of the files that porting writes, read through ``importlib.resources``."""
