"""Text encoders for t2i: MiniLM by default, and any encoder on the Hugging Face Hub."""
