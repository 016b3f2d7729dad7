"""Python that the DAGs share, imported as ``include.x``."""
