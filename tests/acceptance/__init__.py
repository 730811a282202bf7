"""SIP calls with keys through a real Asterisk, the real engine and a real middleware: where does the caller end?"""
