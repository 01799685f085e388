"""What the cases start as processes of their own."""
