"""`make setup`: from a job's address and a token to a `.env` that works."""
