"""What rows and actors share."""
