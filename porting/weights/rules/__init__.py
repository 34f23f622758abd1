"""Rules of conversion: declarative, readable, and strict about every name."""
