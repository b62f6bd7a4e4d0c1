"""Django's PostgreSQL, which looks at an idle connection before it asks whether it still lives."""
