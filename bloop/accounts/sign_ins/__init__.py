"""Sign-ins of browsers: the cookie, the sign-in page, the owner's list."""
