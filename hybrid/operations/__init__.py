"""What happens to a domain in use: feedback, shares of traffic, changes, drift, alerts."""
