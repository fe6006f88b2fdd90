"""DF-GAN (Tao et al. 2022) as a t2i plugin."""
