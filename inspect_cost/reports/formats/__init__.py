"""One file for each format: a function from a document, or from plain data, to text."""
