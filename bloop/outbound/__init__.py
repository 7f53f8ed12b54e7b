"""The one way out: HTTP posts and mail that bloop sends by itself, to addresses that other people may have typed in.

    urls.py      where a URL leads, read once and strictly
    guard.py     which addresses may be sent to
    sockets.py   connections that cannot be redirected or held open
    http.py      one POST
    smtp.py      one mail

Nothing follows redirects, asks a proxy, or looks a name up twice.
"""
