"""What reviewers of Transformers ask of a port's files: their structure and their documents.

The files are read and never run; names and texts in them are shown escaped.
"""
