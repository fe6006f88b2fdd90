"""Text encoders for t2i: MiniLM by default, and any encoder of the Hugging Face Hub."""
