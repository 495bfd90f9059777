"""Setting a registration up in Entra: its values, the steps there, and the ways to do it by machine."""
