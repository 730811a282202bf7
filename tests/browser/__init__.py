"""The pages in a real Chromium: on a stand-in of the API, and on the real engine with a real Asterisk."""
