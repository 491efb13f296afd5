"""Networks that are drawn at random, one for each number, and written as strangers write them."""
