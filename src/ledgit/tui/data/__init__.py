"""What the screens show, as plain classes without Textual."""
