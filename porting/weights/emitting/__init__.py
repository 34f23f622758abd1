"""Rules as code for a pull request: a conversion script, and Transformers' own weight mappings."""
