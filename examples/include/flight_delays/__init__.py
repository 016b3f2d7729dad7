"""What the DAG `flight_delays` does, as plain functions: extract, load, observe, train, publish."""
