"""VAE-GAN (Larsen et al. 2016) and CVAE-GAN (Bao et al. 2017) for t2i."""
