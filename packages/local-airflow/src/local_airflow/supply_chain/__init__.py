"""What is installed, for whoever has to know it: bills of materials, and known weaknesses."""
