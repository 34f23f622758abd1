"""Running the checks: which there are, which are chosen, what each said, and all of it as one report."""
