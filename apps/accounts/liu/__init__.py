"""Signing in with a LiU ID, at the ADFS of Linköping University.

    provider.login -> fs.liu.se -> views.callback -> tokens.read -> a SocialAccount whose uid is the person's LIN

ADFS speaks OAuth2 in its own way: what is asked for is a `resource`, not a scope, and who somebody is stands in the
access token, which it signs. The shapes are those that the predecessor used against the real service (docs/logins.md).
"""
