"""Networks made elsewhere: read into a chain of layers, held against their source, written."""
