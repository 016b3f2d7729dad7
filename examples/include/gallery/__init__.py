"""What only the DAGs of the gallery need: it names the jobs of this repository."""
