"""The server of t2i: the OpenAI images API, and a page to draw in a browser."""
