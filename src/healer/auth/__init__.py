"""Authentication by API key or identity token, and rate limits."""
