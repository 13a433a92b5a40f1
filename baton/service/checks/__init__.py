"""What can be looked at of an installation, each thing by one function: for readiness, start-up and `baton doctor`."""
