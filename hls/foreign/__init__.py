"""Networks made elsewhere: read into a chain of binary layers, compared with their source, written."""
