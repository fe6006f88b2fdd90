"""Flow matching with a transformer on pixels (Li and He 2025) as a t2i plugin."""
