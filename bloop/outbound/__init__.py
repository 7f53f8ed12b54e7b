"""The only outbound connections: HTTP posts and mail to addresses that users may have entered.

    urls.py      parses URLs strictly, once
    guard.py     decides which addresses are allowed
    sockets.py   bounded connections to checked addresses
    http.py      sends one POST
    smtp.py      sends one mail

No redirects are followed, no proxy is used, and no name is resolved twice.
"""
