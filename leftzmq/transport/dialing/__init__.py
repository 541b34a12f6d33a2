"""What we dial: of each device one control connection, wherever it is, and then bulk and news.

Knows connecting, and how libzmq reports it. Must not know what is said over a connection.
"""
