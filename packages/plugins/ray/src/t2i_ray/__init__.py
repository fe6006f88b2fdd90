"""The engine `ray`: work on many processes and machines."""
