"""`make status`: everything that one wants to know of a running stack, on one screen."""
