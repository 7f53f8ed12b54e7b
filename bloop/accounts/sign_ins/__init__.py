"""Signed-in browsers: cookies, the sign-in page, the list of one's own."""
