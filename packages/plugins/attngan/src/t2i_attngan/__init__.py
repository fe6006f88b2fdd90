"""AttnGAN and DAMSM (Xu et al. 2018) as a t2i plugin."""
