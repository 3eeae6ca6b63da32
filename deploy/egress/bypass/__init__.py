"""The bypass list: ways around an egress proxy, an Internet of our own to try them against, and what came of each."""
