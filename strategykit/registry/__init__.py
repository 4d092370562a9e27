"""What is known of each venue besides its language: one entry a venue, from which everything else learns of it."""
