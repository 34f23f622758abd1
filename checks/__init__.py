"""The checks of the add-a-model recipe: one file per step, one function per claim."""
