"""GAN-INT-CLS (Reed et al. 2016) as a t2i plugin."""
