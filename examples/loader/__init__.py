"""Stands in for the ingestion tool: loads the flights of 2013 into schema `raw`."""
