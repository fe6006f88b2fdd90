"""OpenMoji as a captioned dataset for t2i: about 3,900 named emoji drawn in one style."""
