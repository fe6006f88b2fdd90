"""A conditional variational autoencoder (Sohn et al. 2015; Yan et al. 2016) as a t2i plugin."""
