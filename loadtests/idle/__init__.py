"""Very many clients that wait: what they cost at rest, and how soon one message reaches all of them."""
