"""Who people are: signing in, "My pages", language, and what each may take along or have erased.

Anyone may import this app; it imports no other of ours. What others add to it comes through `extensions`.
"""
