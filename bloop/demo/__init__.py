"""A month of invented events to look around with. No part of a server."""
