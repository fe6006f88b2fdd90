"""Small pretrained weights, bundled with the distribution."""
