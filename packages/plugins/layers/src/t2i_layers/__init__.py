"""A layered variational autoencoder as a t2i plugin."""
