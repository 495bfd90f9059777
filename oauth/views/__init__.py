"""The pages for people outside: a link is opened, read, followed to Microsoft and back."""
