"""Whether the instrument tells the truth: made-up runs, wrong servers, known delays."""
