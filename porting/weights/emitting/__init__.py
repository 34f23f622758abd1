"""Rules as code that Transformers' reviewers accept: a conversion script, and a list of weight transforms."""
