"""`make bundle`: what a bug report needs in one zip, with every secret masked."""
