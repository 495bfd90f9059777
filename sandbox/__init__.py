"""A Microsoft in the box: enough of Entra's wire format for an unmodified MSAL, on this machine only."""
