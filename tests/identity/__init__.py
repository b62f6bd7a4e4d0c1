"""A stand-in for those who know people: LiU's ADFS, an issuer of OpenID Connect, Google, GitHub and Facebook.

A process of its own that speaks their protocols over HTTP on this machine, asks for no password, and fails on command.
The demo runs it too. What is written here of the real ones comes from their documentation and from the predecessor's
code; none of them was ever reached. `python -m tests.identity --port 9400`
"""
