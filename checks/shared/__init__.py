"""What the claims share: the context that they are asked in, the outcomes that end them, and the words for both."""
